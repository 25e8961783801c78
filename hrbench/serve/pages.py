"""The site's pages: what is in them, as templates take it. Texts are cleaned and escaped by the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from markupsafe import Markup, escape

from hrbench.core import units
from hrbench.judge.history import History
from hrbench.report import page
from hrbench.report import trend as words
from hrbench.report.figure_set import FOLDER as FIGURES
from hrbench.report.gallery import TYPES
from hrbench.serve.chosen import SORTS, IndexQuery, chosen
from hrbench.serve.numbers import NumberRow
from hrbench.serve.places import Listed, RunPlace
from hrbench.serve.rows import EntryRow, MainScore, RunRow
from hrbench.types import Quantity
from hrbench.version import __version__

TEMPLATES = Path(__file__).parent / "templates"

SHOWN_SCORES = 4
"""Main scores of a row of the index; the run's page has all."""

SHOWN_FILES = 1000
"""Files of a folder that its page lists, and whose pictures it shows."""


SHOWN_NUMBERS = 300
"""Numbers of an entry that its page shows: scores first, then costs; of thousands of classes the report has a table."""

PAGE = "report.html"

DRAWINGS = "drawings"
"""Folder of an entry's pictures."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the policy that its answer names besides the page itself."""

    text: str
    policy: str


def framed(policy: str) -> str:
    """A policy for a header, which unlike a page can also say that no page may frame it."""
    return f"{policy}; frame-ancestors 'none'"


def address(*parts: str, **query: str) -> Markup:
    """An address of the site: its parts quoted, "" last for a folder; a query without empty values.

    >>> address("runs", "a b", ""), address("compare", before="runs/x", after="")
    (Markup('/runs/a%20b/'), Markup('/compare?before=runs%2Fx'))
    """
    path = "/" + "/".join(quote(part, safe="") for part in parts)
    given = urlencode({name: value for name, value in query.items() if value})
    return Markup(escape(f"{path}?{given}" if given else path))


def _of_place(place: RunPlace, *parts: str) -> Markup:
    return address(place.kind, place.name, *parts)


# --- pages -----------------------------------------------------------------------------------------------------------


def index(rows: Sequence[RunRow], query: Mapping[str, str], folder: str) -> Page:
    """All runs and baselines. query: of the address: what to show, and in which order. folder: name of the runs'."""
    wanted = IndexQuery.of(query)
    shown = chosen(rows, wanted)
    kinds = {row.is_baseline for row in rows}
    return _render(
        "index.html.j2",
        rows=shown,
        all=len(rows),
        wanted=wanted,
        sorts=SORTS,
        two_kinds=len(kinds) > 1,
        heading_address=lambda sort: address("", **wanted.sorted_by(sort)),
        folder=folder,
        most=SHOWN_SCORES,
    )


def run(row: RunRow, files: Sequence[Listed], others: Sequence[RunRow], newest: float) -> Page:
    """One run: its entries, what lies in its folder, and what it may be compared with.

    files: in its folder.
    others: runs and baselines.
    newest: when its last result was written, seconds since 1970: what was rendered before is told as older.
    """
    rendered = [one for one in files if one.name.startswith("report.") or one.name == FIGURES]
    stale = [one.name for one in rendered if one.changed < newest and one.name != PAGE]
    return _render(
        "run.html.j2", row=row, files=files[:SHOWN_FILES], left_out=files[SHOWN_FILES:], others=others, stale=stale
    )


def folder(
    row: RunRow,
    names: Sequence[str],
    files: Sequence[Listed],
    entry: EntryRow | None,
    numbers: Sequence[NumberRow],
    drawings: Sequence[Listed],
) -> Page:
    """What lies in a folder of a run.

    names: of the folders on the way to it.
    entry: whose folder it is, None for another folder.
    numbers: of this entry.
    drawings: what lies in its folder of pictures.
    """
    shown = files[:SHOWN_FILES]
    pictures = [((*names, one.name), one.name) for one in shown if _is_picture(one)]
    pictures += [((*names, DRAWINGS, one.name), one.name) for one in drawings[:SHOWN_FILES] if _is_picture(one)]
    return _render(
        "folder.html.j2", stale=(), row=row, names=names, entry=entry, files=shown, left_out=files[SHOWN_FILES:],
        pictures=pictures, numbers=numbers[:SHOWN_NUMBERS], more_numbers=numbers[SHOWN_NUMBERS:],
    )  # fmt: skip


def _is_picture(one: Listed) -> bool:
    return one.size is not None and Path(one.name).suffix.lower() in TYPES


def choose(rows: Sequence[RunRow], before: str, after: str) -> Page:
    """Two lists to choose the sides of a comparison from. before, after: keys of what is chosen already."""
    return _render("choose.html.j2", rows=rows, before=before, after=after)


def series(found: History, quantity: str, only: str) -> Page:
    """The series of a history in short, each with the address of its page."""
    return _render("series.html.j2", history=found, quantity=quantity, only=only, series=found.series)


def told(title: str, sentences: Sequence[str]) -> Page:
    """A short page that says what is wrong."""
    return _render("told.html.j2", title=title, sentences=[f"{one[:1].upper()}{one[1:]}" for one in sentences])


def with_navigation(text: str, links: Sequence[tuple[str, Markup]]) -> str:
    """A page of `report` with links above it. links: (words, address)."""
    bar = _environment().get_template("bar.html.j2").render(links=links)
    return text.replace("<body>", f"<body>\n{bar}", 1)


def of_run(place: RunPlace) -> list[tuple[str, Markup]]:
    """Links above the report of a run."""
    return [
        ("Entries and files", _of_place(place, "")),
        ("Compare", address("compare", after=place.key)),
        ("History", address("history")),
    ]


def policy_of_reports() -> str:
    """The policy of reports that this hrbench renders: their style sheets and scripts, and nothing else."""
    css = page.text_of("report.css") + page.text_of("explained.css")
    return framed(page.policy([css], [page.text_of("report.js") + page.text_of("pictures.js")]))


def policy_of(own: str) -> str:
    """The policy of a comparison or a history. own: name of its style sheet."""
    return framed(page.policy([page.text_of("report.css") + page.text_of(own)]))


# --- templates -------------------------------------------------------------------------------------------------------


def _render(name: str, **values: Any) -> Page:
    policy = _policy()
    text = _environment().get_template(name).render(version=__version__, css=_css(), policy=policy, **values)
    return Page(text, framed(policy))


@cache
def _css() -> Markup:
    return page.text_of("report.css") + Markup((TEMPLATES / "site.css").read_text(encoding="utf-8"))


@cache
def _policy() -> Markup:
    return page.policy([_css()], forms=True)


@cache
def _environment() -> Environment:
    environment = page.environment(TEMPLATES)
    environment.globals.update(
        address=address,
        place=_of_place,
        listed=lambda of, names, one: _of_place(of, *names, one.name, *([""] if one.size is None else [])),
        above=lambda of, names: [(name, _of_place(of, *names[: at + 1], "")) for at, name in enumerate(names[:-1])],
        date=lambda text: units.date(text, clock=True) if text else "–",
        day=lambda text: units.date(text) if text else "–",
        amount=units.amount,
        score=_score,
        value=lambda quantity, value: "–" if value is None else units.show(value, quantity.unit, own=quantity.divisor),
        size=_size,
        changed=_changed,
        key_of=lambda row: Markup(escape(row.place.key)),
        heading=words.heading,
        number=words.value_text,
        difference=words.difference_text,
        spark=words.spark,
        alike=lambda one: len({point.basis for point in one.points}) == 1,
    )
    return environment


def _score(score: MainScore) -> str:
    """ "AP 82.8": a main score in short."""
    quantity: Quantity = score.quantity
    shown = units.show(score.value, quantity.unit, own=quantity.divisor)
    return f"{quantity.label or quantity.name} {shown}"


def _size(size: int | None) -> str:
    """Bytes in words, "" of a folder.

    >>> _size(812), _size(20_480), _size(5 << 20), _size(None)
    ('812 B', '20 KiB', '5.0 MiB', '')
    """
    if size is None:
        return ""
    if size < 1 << 10:
        return f"{size} B"
    return f"{size / (1 << 10):,.0f} KiB" if size < 1 << 20 else f"{size / (1 << 20):,.1f} MiB"


def _changed(seconds: float) -> str:
    return units.date(datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds"), clock=True)
