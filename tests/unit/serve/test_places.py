"""Nothing outside the two folders is reached, however an address is written: no link is followed, no pipe opened."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from hrbench.errors import InputError, MissingError
from hrbench.serve.places import Roots, check_whole, open_file, parts_of, plain

SECRET = "what nobody may read"

UP = ("..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "%c0%ae%c0%ae", "..%00", "..;", ". .", "....//", "..%5c", "..%2f")
SLASH = ("/", "%2f", "%5c", "\\", "//", "%252f", "/./", "%2f%2e%2f")
BEGIN = ("/runs/first/", "/runs/first/entries/", "/runs/", "/baselines/", "/")
GOALS = ("secret.txt", "../secret.txt", "%2e%2e/secret.txt")


def tries(absolute: Path) -> list[str]:
    """Addresses that would lead out of the folders if anything tidied, decoded or joined them without care."""
    outwards = [
        f"{begin}{up}{slash}{up}{slash}{goal}" for begin, up, slash, goal in product(BEGIN[:2], UP, SLASH, GOALS[:1])
    ]
    outwards += [f"{begin}{'../' * depth}{goal}" for begin, depth, goal in product(BEGIN, (1, 2, 3), GOALS)]
    plainly = str(absolute)
    hidden = ("/runs/first/.hidden", "/runs/.outside/secret.txt", "/runs/first/.%00", "/runs/first/.")
    linked = [
        *("/runs/out", "/runs/out/", "/runs/out/secret.txt", "/runs/out/report.html", "/runs/first/link.txt"),
        *("/runs/first/link", "/runs/first/link/", "/runs/first/link/secret.txt", "/runs/first/pipe"),
        *("/runs/first/inside.txt", "/runs/linked/", "/runs/linked/entries/shapes/result.json"),
    ]
    wholly = [
        f"{begin}{path}"
        for begin in BEGIN
        for path in (plainly, quote(plainly, safe=""), f"/{plainly}", f"file:{plainly}", f"{plainly}%00.json")
    ]
    odd = ["/runs/first/secret.txt%00", "/runs/first%00/secret.txt", "/runs/first/a%0ab", "/runs/first/%ff%fe"]
    return list(dict.fromkeys([*outwards, *wholly, *hidden, *linked, *odd]))


@pytest.fixture
def tempting(served):
    """A secret beside the folders, links to it, a link in the folder, a link to a run, and a pipe."""
    (served.folder / "secret.txt").write_text(SECRET)
    outside = served.folder / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    (outside / "entries").mkdir()
    first = served.runs / "first"
    (first / ".hidden").write_text(SECRET)
    (served.runs / "out").symlink_to(outside)
    (served.runs / ".outside").symlink_to(outside)
    (served.runs / "linked").symlink_to(served.runs / "second")
    (first / "link.txt").symlink_to(served.folder / "secret.txt")
    (first / "link").symlink_to(outside)
    (first / "inside.txt").symlink_to(first / "environment.json")
    os.mkfifo(first / "pipe")
    return served


def test_no_address_leads_out_of_the_folders(tempting):
    addresses = tries(tempting.folder / "secret.txt")
    assert len(addresses) >= 200
    for address in addresses:
        answer = tempting.ask(address)
        assert answer.status in (404, 422), (address, answer.status)
        assert SECRET not in answer.text and "root:" not in answer.text, address


def test_what_lies_in_the_folders_is_reached(tempting):
    assert tempting.page("/runs/first/environment.json") == (tempting.runs / "first/environment.json").read_text()
    assert tempting.page("/runs/first/entries/shapes/predictions.csv").startswith("image,place")
    for address in ("/runs/first", "/runs/first/entries", "/runs/first/entries/shapes"):
        answer = tempting.ask(address)
        assert (answer.status, answer.headers["location"]) == (303, f"{address}/")


def test_links_and_hidden_files_are_not_listed(tempting):
    page = tempting.page("/runs/first/")
    assert "environment.json" in page
    for name in ("link", "inside.txt", "pipe", "hidden"):
        assert name not in page.partition('id="files"')[2], name
    index = tempting.page("/")
    assert "out is a link, and is not followed" in index and ".outside" not in index


def test_a_run_with_links_or_pipes_in_it_is_not_read_whole(tempting):
    """Readers of results know nothing of links, and would wait for a pipe."""
    first = Roots(tempting.runs, tempting.folder / "baselines").find("runs", "first")
    for name in ("link", "link.txt", "inside.txt", "pipe"):
        with pytest.raises(InputError, match="which hrbench never makes"):
            check_whole(first)
        answer = tempting.ask("/runs/first/report.html")
        assert answer.status == 422 and "never makes" in answer.text and SECRET not in answer.text
        assert tempting.ask("/compare?before=runs/first&after=runs/second").status == 422
        (first.path / name).unlink()
    assert tempting.ask("/runs/first/report.html").status == 200


@pytest.mark.parametrize("name", ["a", "HRNet-W32 (2)", "b@1.2", "café", "网络", "100%", "a#b?c&d"])
def test_plain_names_have_addresses(served, name: str):
    (served.runs / "first").rename(served.runs / name)
    assert plain(name)
    index = served.page("/")
    assert f'href="/runs/{quote(name, safe="")}/report.html"' in index
    assert served.ask(f"/runs/{quote(name, safe='')}/").status == 200


@pytest.mark.parametrize("name", ["", ".", "..", ".git", "a/b", "a\\b", "a\0", "a\nb", "a\u202eb", "a\x1b[0m"])
def test_other_names_have_none(name: str):
    assert not plain(name)


def test_a_run_whose_name_cannot_be_shown_is_a_row_that_says_so(served):
    first = served.runs / "first"
    for name in ("a\\b", os.fsdecode(b"\xff\xfe"), "a\x1b[31mb"):
        first = first.rename(served.runs / name)
        index = served.page("/")
        assert "has a name that no address can have" in index and "\x1b" not in index


def test_parts_of_an_address():
    assert parts_of("a/b c") == ("a", "b c") and parts_of("a/") == ("a",) and parts_of("") == ()
    for bad in ("/", "a//b", "a/../b", "a/./b", "/a", "a/.b"):
        with pytest.raises(MissingError):
            parts_of(bad)


def test_files_below_a_link_are_not_opened(served):
    (served.folder / "secret.txt").write_text(SECRET)
    (served.runs / "first" / "figures").symlink_to(served.folder)
    with pytest.raises(MissingError):
        open_file(served.runs / "first", ("figures", "secret.txt"))
