"""Checks of plug-ins against their contracts: a missing member is an error, a misspelt one is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from torch import nn

from hrbench.contracts import DataSet, Inspectable, Submits
from hrbench.errors import EntryError
from hrbench.runner.conformance import check_contract


class Whole:
    """A data set that has all it needs and nothing that is optional."""

    task = "pose"
    target = Path("truth.json")

    def metric_options(self) -> dict[str, Any]:
        return {}

    def missing(self, protocol: Any) -> list[str]:
        return []

    def digest(self, protocol: Any) -> str:
        return ""

    def samples(self, protocol: Any) -> list[Any]:
        return []

    def notes(self, protocol: Any) -> list[str]:
        return []


def said(plugin: Any, group: str = "hrbench.datasets") -> list[str]:
    return check_contract(group, "ourpkg:Mine", plugin)


def test_a_data_set_with_all_that_is_required_is_one():
    assert isinstance(Whole(), DataSet) and said(Whole()) == []


def test_a_missing_member_is_an_error_that_names_what_was_probably_meant():
    class Lacking(Whole):
        digest = None  # pyright: ignore
        digests = Whole.digest

    with pytest.raises(EntryError, match=r"^ourpkg:Mine lacks digest \(is digests meant\?\): see contracts.DataSet$"):
        said(Lacking())
    with pytest.raises(EntryError, match="lacks finish, forward, prepare, work: see contracts"):
        check_contract("hrbench.tasks", "t", type("T", (), {"Protocol": object})())


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("servers", "server"), ("Submit", "submit"), ("fact", "facts"), ("schema", "scheme"), ("classes", "")],
)
def test_an_optional_member_that_is_misspelt_is_told(wrong: str, meant: str):
    found = said(type("Odd", (Whole,), {wrong: "x"})())
    if not meant:
        assert found == []
    else:
        (one,) = found
        assert one.startswith(f"ourpkg:Mine has {wrong}, which hrbench does not use: is {meant} meant")
        assert one.endswith(f"If not, call it _{wrong}")


def test_a_member_of_an_instance_is_looked_at_as_those_of_its_class_are():
    odd = Whole()
    odd.servr = "theirs.org judges"  # pyright: ignore
    assert "is server meant (contracts.Submits)" in said(odd)[0]


def test_what_resembles_a_member_that_is_there_is_no_mistake():
    plugin = type("Fine", (Whole,), {"targets": [1], "sample": None, "_server": "x"})()
    assert said(plugin) == []


def test_half_a_capability_is_told_since_it_is_not_used():
    plugin = type("Half", (Whole,), {"facts": lambda self: {"images": 1}})()
    assert not isinstance(plugin, Inspectable)
    assert said(plugin) == ["ourpkg:Mine has facts and not look, so facts is not used: see contracts.Inspectable"]
    plugin = type("Judged", (Whole,), {"server": "theirs.org judges"})()
    assert not isinstance(plugin, Submits) and "has server and not submit" in said(plugin)[0]


def test_no_property_is_evaluated():
    class Reading(Whole):
        @property
        def scheme(self) -> Any:
            raise AssertionError("reads a file")

        @property
        def target(self) -> Path:
            raise AssertionError("reads a file")

    assert said(Reading()) == []


def test_what_a_class_hands_on_counts_as_there():
    class Wrapping:
        inner: ClassVar = Whole()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    assert said(Wrapping()) == []


def test_a_network_s_own_members_are_compared_and_not_those_of_torch():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)
            self.takes_scale = True

    assert said(nn.Linear(1, 1), "hrbench.models") == []
    assert "is takes_scales meant (contracts.TakesScales)" in said(Net(), "hrbench.models")[0]
