"""Writes a report in the formats that are asked for: the page with its figures, tables and numbers beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrbench.core.collector import paused_collector
from hrbench.core.files import link, whole_folder, write_whole
from hrbench.errors import UsageError
from hrbench.judge.sides import Side
from hrbench.report import current, machines, ties
from hrbench.report.choose import choose_layout, unshown
from hrbench.report.csv import render_csv
from hrbench.report.figure_set import figure_set, write_figures
from hrbench.report.former import former_results, name_of, replaced
from hrbench.report.full_tables import full_tables
from hrbench.report.gallery import BESIDE, EMBEDDED, gallery
from hrbench.report.html import render_html
from hrbench.report.latex import render_latex
from hrbench.report.markdown import render_markdown
from hrbench.report.published import read_published
from hrbench.report.rows import row_labels
from hrbench.report.summary import FirstScreen, first_screen
from hrbench.report.table import build_tables
from hrbench.types import Result

FORMATS = ("html", "md", "csv", "tex", "json")
USUAL = ("html", "md", "csv", "tex")
"""What is written if nobody chooses."""
_REMEDY = "choose a folder with --out"


@dataclass(frozen=True, slots=True)
class Written:
    """A report.

    page: its path, or that of the first format without one.
    first: what its first screen says.
    """

    page: Path
    first: FirstScreen


def write_reports(results: Sequence[Result], folder: str | Path, **more: Any) -> Path:
    """As `write`; the path of the page."""
    return write(results, folder, **more).page


@paused_collector()
def write(
    results: Sequence[Result],
    folder: str | Path,
    *,
    title: str = "",
    table: str = "",
    environments: Sequence[Mapping[str, Any]] = (),
    suites: Sequence[str] = (),
    options: Sequence[str] = (),
    commit: str = "",
    left_out: Sequence[str] = (),
    keep: bool = False,
    formats: Sequence[str] = USUAL,
    against: Side | None = None,
) -> Written:
    """A report in each format below `folder`: report.html and figures/, report.md, .csv, .tex and .json.

    results: of one run or several, each with its `folder`, which contains its rendered images.
    folder: for the files.
    title: of the page; by default the layout's.
    table: a layout's name or path, "" for the default of the tasks.
    environments, suites: one for each run.
    options: command-line options of the run, as typed ("--limit 3").
    commit: of the checkout that the suite lies in, "" for none.
    left_out: sentences on what is stored beside the results and not shown.
    keep: whether a report that shows all of this already is left as it is (`current.py`); results must be stored.
    formats: of `FORMATS`; files of others are left as they are.
    against: a run or baseline whose results of the same entries the first screen holds these against; None for those
        that they replaced in their folders.

    Each file, and the folder of figures, appears whole or not at all, and the page last. Raises `UsageError` for a
    format, a layout or a folder that cannot be used.
    """
    folder, formats = Path(folder), checked_formats(formats)
    layout = choose_layout(results, table)
    published = read_published(layout)
    stated = (title, layout, published, environments, suites, options, commit, left_out, formats, against)
    key = current.key_of(results, stated) if keep else ""
    first = folder / f"report.{formats[0]}"
    if keep and (known := current.first_screen_of(folder, key)) is not None:
        return Written(first, known)
    left_out = [*left_out, *unshown(results, layout)]
    paired = ties.remembered(folder)
    tables = build_tables(results, layout, published, paired.interval)
    named = name_of(against)
    before = [
        None if former is None else replaced(result, former, paired.interval, named)
        for result, former in zip(results, former_results(results, against), strict=True)
    ]
    screen = first_screen(results, tables, before, named)
    drawn = figure_set(results, tables) if "html" in formats else None
    make: dict[str, Callable[[], str]] = {
        "md": lambda: render_markdown(tables),
        "csv": lambda: render_csv(full_tables(results)),
        "tex": lambda: render_latex(tables),
    }
    texts = {ending: one() for ending, one in make.items() if ending in formats or "html" in formats}
    written = write_figures(drawn, folder, _REMEDY) if drawn is not None else []

    def page() -> str:
        pictures = gallery(results, row_labels(results), folder_of, folder, EMBEDDED)
        text = render_html(
            results,
            layout,
            machines.merge(environments),
            "\n\n".join(text for text in dict.fromkeys(suites) if text),
            folder_of,
            title=title,
            published=published,
            options=options,
            commit=commit,
            left_out=left_out,
            tables=tables,
            drawn=drawn,
            replaced=before,
            first=screen,
            texts=texts,
            with_files=True,
            pictures=pictures,
        )
        _put_beside(folder / BESIDE, pictures.copies)
        written.extend(folder / BESIDE / name for name in pictures.copies)
        return text

    def numbers() -> str:
        from hrbench.report.numbers import render_json

        return render_json(results, title or layout.title)

    render: dict[str, Callable[[], str]] = {
        **{ending: lambda text=text: text for ending, text in texts.items()},
        "json": numbers,
        "html": page,  # last: it leads to the others
    }
    for ending in (each for each in render if each in formats):
        path, text = folder / f"report.{ending}", render[ending]()
        write_whole(path, lambda stream, text=text: stream.write(text.encode()), remedy=_REMEDY)
        written.append(path)
    ties.remember(folder, paired)
    if keep:
        current.note(folder, key, written, screen)
    return Written(first, screen)


def key_of_report(
    results: Sequence[Result],
    *,
    title: str = "",
    table: str = "",
    environments: Sequence[Mapping[str, Any]] = (),
    suites: Sequence[str] = (),
    options: Sequence[str] = (),
    commit: str = "",
    left_out: Sequence[str] = (),
) -> str:
    """Digest of all that decides the usual report of these results; parameters as of `write`.

    What `write` has kept in a folder is this report if `current.first_screen_of(folder, key)` knows it.
    """
    layout = choose_layout(results, table)
    published = read_published(layout)
    stated = (title, layout, published, environments, suites, options, commit, left_out, USUAL, None)
    return current.key_of(results, stated)


def checked_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats in their usual order, each once. Raises UsageError for another one, and for none."""
    if unknown := [one for one in formats if one not in FORMATS]:
        raise UsageError(f"a report has no format {', '.join(unknown)}; it has {', '.join(FORMATS)}")
    if not formats:
        raise UsageError(f"no format was chosen of {', '.join(FORMATS)}")
    return tuple(one for one in FORMATS if one in formats)


def folder_of(result: Result) -> Path:
    """Where the pictures of a result lie."""
    return Path(result.folder)


def _put_beside(folder: Path, copies: Mapping[str, Path]) -> None:
    """Pictures that a page refers to and that do not lie below its folder. Those of an earlier page are removed."""
    if not copies:
        shutil.rmtree(folder, ignore_errors=True)
        return
    with whole_folder(folder, remedy="choose a folder with --out") as part:
        for name, path in copies.items():
            link(path, part / name)
