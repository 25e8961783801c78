"""Text from outside as a reader may see it: names, titles, reasons and notes, in pages, tables and on a terminal.

What others wrote into suites, annotation files and error messages may hold characters that no one sees and that change
what is seen: codes of a terminal, marks that turn the direction of writing around, ends of lines. And it may name the
folders of the machine on which it was made, which are nobody else's business. Every format passes its texts through
here, at one place each.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
_RETURNS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls but tab and newline
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # marks of direction, and what has no width
    "\ufff9-\ufffb\U000e0000-\U000e007f]"  # annotations and tags
)
_LONE = re.compile("[\ud800-\udfff]")  # halves of a character, which no file in UTF-8 can hold

# A path is absolute where its first slash follows neither a word nor a dot; addresses are found first and stay. It has
# two parts at least: "/x" alone tells nothing of a machine, and may be a unit.
_PART = r"[^\s/\\:;,\"'`<>|()\[\]{}*?]"
_ADDRESS = r"(?P<address>\b(?!file:)[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"'<>]*)"
_POSIX = re.compile(rf"{_ADDRESS}|(?:\bfile://)?(?<![\w./~<])(?:/{_PART}+)+/{_PART}*|\bfile://(?:/{_PART}+)+")
_WORDS = re.compile(r"\S+")
_WINDOWS = re.compile(r"(?<![A-Za-z])(?:[A-Za-z]:\\|\\\\[^\s\\/]+\\)(?:[^\s\\/:*?\"<>|]+\\)*[^\s\\/:*?\"<>|]*")


def clean(text: str) -> str:
    r"""Text without what is not seen, or changes how the text around it is seen; its lines and tabs stay.

    >>> clean("HRNet\x1b[31m-W32\u202e\x00"), clean("two\r\nlines"), clean("café, 网络")
    ('HRNet-W32', 'two\nlines', 'café, 网络')
    """
    if text.isprintable():  # all of the above are not, and most texts are
        return text
    text = _RETURNS.sub("\n", _ESCAPES.sub("", text))
    return _LONE.sub("\N{REPLACEMENT CHARACTER}", _UNSEEN.sub("", text))


def without_paths(text: str) -> str:
    """Text in which absolute paths are told without the folders of this machine, or of the one that wrote the text.

    Below the current folder they are relative to it, in the user's home they begin with `~`, and of all others the name
    is left. Addresses stay as they are.

    >>> without_paths("no file /mnt/disk/coco/val.json: see https://cocodataset.org/a/b"), without_paths("0.5/1 img/s")
    ('no file val.json: see https://cocodataset.org/a/b', '0.5/1 img/s')
    >>> without_paths('open "C:\\\\Users\\\\me\\\\net.pth"'), without_paths("onnx:/nets/a.onnx")
    ('open "net.pth"', 'onnx:a.onnx')
    """
    if "/" not in text and "\\" not in text:
        return text
    for folder, instead in _known_folders():
        if folder in text:
            text = re.sub(
                rf"(?:\bfile://)?(?<![\w./~-]){re.escape(folder)}(?P<below>/)?(?(below)|(?![\w.~-]))",
                lambda found, instead=instead: instead if found["below"] else instead.rstrip("/") or ".",
                text,
            )
    return _WORDS.sub(_word, text)


def shown(text: str) -> str:
    """Text from outside for a page or a table: clean, and without the folders of a machine."""
    return without_paths(clean(text))


def _word(found: re.Match[str]) -> str:
    word = found[0]
    if "/" not in word and "\\" not in word:
        return word
    return _WINDOWS.sub(_name, _POSIX.sub(_name, word))


def _name(found: re.Match[str]) -> str:
    """The last part of a path, an address whole."""
    if found.groupdict().get("address"):
        return found[0]
    return re.split(r"[/\\]", found[0].rstrip("/\\"))[-1]


def _known_folders() -> list[tuple[str, str]]:
    """The current folder and the home, with what is written in their place: the inner one first."""
    return _replacements(_folder(Path.cwd), _folder(Path.home))


@cache
def _replacements(here: str, home: str) -> list[tuple[str, str]]:
    found = [(here, ""), (home, "~/")]
    return sorted((one for one in found if len(one[0]) > 1), key=lambda one: -len(one[0]))


def _folder(where: Callable[[], Path]) -> str:
    try:
        return str(where())
    except (OSError, RuntimeError):  # a folder that was removed, a user without a home
        return ""
