"""Writes a report in all its formats: the page, and the same tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hrbench.core.files import link, whole_folder, write_whole
from hrbench.report import current, machines
from hrbench.report.choose import choose_layout
from hrbench.report.csv import render_csv
from hrbench.report.gallery import BESIDE, EMBEDDED, gallery
from hrbench.report.html import render_html
from hrbench.report.latex import render_latex
from hrbench.report.markdown import render_markdown
from hrbench.report.published import read_published
from hrbench.report.rows import row_labels
from hrbench.report.table import build_tables
from hrbench.types import Result


def write_reports(
    results: Sequence[Result],
    folder: str | Path,
    *,
    title: str = "",
    table: str = "",
    environments: Sequence[Mapping[str, Any]] = (),
    suites: Sequence[str] = (),
    options: Sequence[str] = (),
    left_out: Sequence[str] = (),
    keep: bool = False,
) -> Path:
    """report.html, .md, .csv and .tex below `folder`; the path of the page.

    results: of one run or several, each with its `folder`, which contains its rendered images.
    folder: for the files.
    title: of the page; by default the layout's.
    table: a layout's name or path, "" for the default of the tasks.
    environments, suites: one for each run.
    options: command-line options of the run, as typed ("--limit 3").
    left_out: sentences on what is stored beside the results and not shown.
    keep: whether a report that shows all of this already is left as it is (`current.py`); results must be stored.

    Each file appears whole or not at all. Raises `UsageError` for a layout or a folder that cannot be used.
    """
    folder = Path(folder)
    layout = choose_layout(results, table)
    published = read_published(layout)
    stated = (title, layout, published, environments, suites, options, left_out)
    key = current.key_of(results, stated) if keep else ""
    if keep and current.is_current(folder, key):
        return folder / "report.html"
    tables = build_tables(results, layout, published)
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
        left_out=left_out,
        tables=tables,
        pictures=pictures,
    )
    _put_beside(folder / BESIDE, pictures.copies)
    texts = {"md": render_markdown(tables), "csv": render_csv(tables), "tex": render_latex(tables), "html": page}
    for ending, text in texts.items():
        write_whole(
            folder / f"report.{ending}",
            lambda stream, text=text: stream.write(text.encode()),
            remedy="choose a folder with --out",
        )
    if keep:
        current.note(folder, key)
    return folder / "report.html"


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
