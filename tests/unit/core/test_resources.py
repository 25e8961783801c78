"""Shipped files are found in a checkout and in an installed copy by the same call."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.core import resources

KINDS = ["suites", "reports/published", "reports/tables"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkout_has_them_beside_the_package(kind: str):
    folder = resources.shared(kind)
    assert list(folder.glob("*.yaml"))
    assert not folder.is_relative_to(resources.PACKAGE / "share")


@pytest.mark.parametrize("kind", KINDS)
def test_an_installed_copy_has_them_inside(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "site-packages" / "hrbench"
    inside = package / "share" / kind
    inside.mkdir(parents=True)
    (tmp_path / "site-packages" / kind).mkdir(parents=True)  # another package's folder of the same name
    monkeypatch.setattr(resources, "PACKAGE", package)
    assert resources.shared(kind) == inside


def test_it_does_not_depend_on_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = [resources.shared(kind) for kind in KINDS]
    monkeypatch.chdir(tmp_path)
    assert [resources.shared(kind) for kind in KINDS] == before
    assert all(folder.is_absolute() for folder in before)
