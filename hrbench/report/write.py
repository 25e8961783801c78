"""Writes a report in all its formats: the page, and the same tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrbench.core.collector import PausedCollector
from hrbench.core.files import link, whole_folder, write_whole
from hrbench.report import current, machines, ties
from hrbench.report.choose import choose_layout, unshown
from hrbench.report.csv import render_csv
from hrbench.report.former import former_results, replaced
from hrbench.report.full_tables import full_tables
from hrbench.report.gallery import BESIDE, EMBEDDED, gallery
from hrbench.report.html import render_html
from hrbench.report.latex import render_latex
from hrbench.report.markdown import render_markdown
from hrbench.report.published import read_published
from hrbench.report.rows import row_labels
from hrbench.report.summary import Leader, leaders
from hrbench.report.table import build_tables
from hrbench.types import Result


@dataclass(frozen=True, slots=True)
class Written:
    """A report. page: its path. leaders: what its first screen says of each task and data set."""

    page: Path
    leaders: tuple[Leader, ...]


def write_reports(results: Sequence[Result], folder: str | Path, **more: Any) -> Path:
    """As `write`; the path of the page."""
    return write(results, folder, **more).page


@PausedCollector()
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
) -> Written:
    """report.html, .md, .csv and .tex below `folder`.

    results: of one run or several, each with its `folder`, which contains its rendered images.
    folder: for the files.
    title: of the page; by default the layout's.
    table: a layout's name or path, "" for the default of the tasks.
    environments, suites: one for each run.
    options: command-line options of the run, as typed ("--limit 3").
    commit: of the checkout that the suite lies in, "" for none.
    left_out: sentences on what is stored beside the results and not shown.
    keep: whether a report that shows all of this already is left as it is (`current.py`); results must be stored.

    Each file appears whole or not at all. Raises `UsageError` for a layout or a folder that cannot be used.
    """
    folder = Path(folder)
    layout = choose_layout(results, table)
    published = read_published(layout)
    stated = (title, layout, published, environments, suites, options, commit, left_out)
    key = current.key_of(results, stated) if keep else ""
    if keep and (known := current.leaders_of(folder, key)) is not None:
        return Written(folder / "report.html", known)
    left_out = [*left_out, *unshown(results, layout)]
    paired = ties.remembered(folder)
    tables = build_tables(results, layout, published, paired.interval)
    before = [
        None if former is None else replaced(result, former, paired.interval)
        for result, former in zip(results, former_results(results), strict=True)
    ]
    first = tuple(leaders(results, tables, before))
    texts = {"md": render_markdown(tables), "csv": render_csv(full_tables(results)), "tex": render_latex(tables)}
    pictures = gallery(results, row_labels(results), folder_of, folder, EMBEDDED)
    page = render_html(
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
        replaced=before,
        leaders=first,
        texts=texts,
        pictures=pictures,
    )
    _put_beside(folder / BESIDE, pictures.copies)
    for ending, text in {**texts, "html": page}.items():
        write_whole(
            folder / f"report.{ending}",
            lambda stream, text=text: stream.write(text.encode()),
            remedy="choose a folder with --out",
        )
    ties.remember(folder, paired)
    if keep:
        current.note(folder, key, first)
    return Written(folder / "report.html", first)


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
