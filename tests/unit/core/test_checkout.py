"""The commit of a checkout, and whether it was changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hrbench.core.checkout import commit_of


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_checkout_tells_its_commit_and_changes_of_what_git_tracks(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) == ""  # nothing is committed
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    (tmp_path / "new").write_text("results are no change")
    commit = commit_of(tmp_path)
    assert len(commit) == 12 and set(commit) <= set("0123456789abcdef")
    (tmp_path / "a").write_text("2")
    assert commit_of(tmp_path) == f"{commit}, changed"


def test_without_git_no_commit_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(Path(__file__).parent) == ""
