"""What of a text from outside is shown: no character that hides or turns others, and no folder of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrbench.core.shown_text import clean, shown, without_paths

HIDDEN = "\x00\x07\x1b\x7f\x85\x9b\u200b\u200e\u202a\u202e\u2066\u2069\ufeff\U000e0041"


NO_PATHS = "8 img/s, 1/2/3, and/or, / , // , </b></i>, 0.75/1/1.25"


@settings(max_examples=100)
@given(st.text(alphabet=st.one_of(st.sampled_from(HIDDEN + "\ud800\r\n\t/\\:ab.~ "), st.characters())))
def test_what_is_shown_is_clean_valid_text_and_stays_so(text):
    found = shown(text)
    assert not set(found) & (set(HIDDEN) | {"\r"})
    found.encode()
    assert clean(found) == found
    assert clean(text) == text or not text.isprintable()


@pytest.mark.parametrize("text", ["café, 网络, नमस्ते", "a\tb\nc", "👩‍🔬", "±0.1 × Δ − 3 µs", "naïve → ≤ 5 %"])
def test_letters_of_all_languages_stay(text):
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no file /mnt/a/b.json: get it", "no file b.json: get it"),
        ("'/mnt/a/b c'", "'b c'"),  # the blank ends what looks like a path; its folder is gone all the same
        ("--data=/mnt/a/b --out x/y", "--data=b --out x/y"),
        ("onnx:/mnt/a/b.onnx (/mnt/c/d)", "onnx:b.onnx (d)"),
        ("file:///mnt/a/b", "b"),
        (r"C:\Users\me\b.pth and \\host\share\c.pth", "b.pth and c.pth"),
        ("https://a.b/c/d?e=/f/g and git+ssh://h/i/j", "https://a.b/c/d?e=/f/g and git+ssh://h/i/j"),
        (NO_PATHS, NO_PATHS),
        (r"a\nb \frac{1}{2}", r"a\nb \frac{1}{2}"),
        ("/data and /x", "/data and /x"),
    ],
)  # fmt: skip
def test_of_a_path_the_name_is_left(text, told):
    assert without_paths(text) == told


def test_below_the_current_folder_and_the_home_more_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home, here = tmp_path / "home of me", tmp_path / "home of me" / "work"
    here.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    assert (
        without_paths(f"{here}/runs/a.json, {home}/weights/b.pth, {here}, {home}")
        == "runs/a.json, ~/weights/b.pth, ., ~"
    )
    assert without_paths(f"{here}er/a b") == "~/worker/a b"
    assert str(tmp_path) not in shown(f"{tmp_path}/else/where {tmp_path}")


@pytest.mark.parametrize(
    "text", ["a.b-" * 20_000 + "/", "/x" * 30_000, "C:\\" * 30_000, "/" * 60_000, "x" * 60_000 + "://"]
)
def test_long_words_end(text):
    """A pattern that goes back over what it has read would take hours."""
    assert len(shown(text)) <= len(text)
