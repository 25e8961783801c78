"""The command `hrbench explain`: why the scores of stored entries are what they are."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import numpy as np

from hrbench.cli.analysis_text import text_of
from hrbench.cli.shared import Echo
from hrbench.cli.standard_streams import echo_error
from hrbench.core import units
from hrbench.core.remote.mirror import local_folder
from hrbench.errors import HrbenchError
from hrbench.judge import baseline
from hrbench.judge.sides import read_side
from hrbench.runner.analysing import Explained
from hrbench.runner.analysing import explain as explained
from hrbench.types import Analysis, AnalysisCurves, AnalysisSection, AnalysisTable, Result

WIDTH = 100
"""Characters of a line where nobody's terminal is known, as in a file."""


def explain(args: Namespace, echo: Echo) -> int:
    """0 if anything was explained. Raises the first reason if nothing was."""
    side = read_side(args.run, baseline.FOLDER)
    data = local_folder(args.data) if args.data else None
    found: dict[str, Explained] = {}
    failed: list[HrbenchError] = []
    for name, result in side.results.items():
        try:
            found[name] = explained(result, args.metric, data)
        except HrbenchError as error:
            failed.append(error)
    if not found and failed:
        raise failed[0]
    for text in [*side.damaged, *map(str, failed)]:
        echo_error(f"hrbench: {text}")
    if args.json:
        echo(json.dumps([_plain(name, one) for name, one in found.items()], indent=1, ensure_ascii=False))
        return 0
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    alone = len(side.results) == 1
    parts = [_told(side.results[name], one, width, args.every, not alone) for name, one in found.items()]
    if not alone:
        parts.append(f"The first part of each; the others, and what the numbers are: hrbench explain {args.run}:ENTRY")
    echo("\n\n".join(parts))
    return 0


def _told(result: Result, found: Explained, width: int, every: bool, first: bool) -> str:
    parts = []
    for one in found.analyses:
        main = next((score for score in result.scores if score.metric == one.metric), None)
        value = "" if main is None or main.value is None else (
            f": {main.quantity.label} {units.with_unit(main.value, main.quantity.unit)}"
        )  # fmt: skip
        parts.append(f"{result.name}, {one.metric}{value}\n\n{text_of(one, width, every, first)}")
    parts += [f"note: {note}" for note in found.notes]
    return "\n\n".join(parts)


def _plain(name: str, found: Explained) -> dict[str, Any]:
    """The JSON of one entry; fractions as fractions, null where there is no number."""
    return {"entry": name, "analyses": [_analysis(one) for one in found.analyses], "notes": list(found.notes)}


def _analysis(one: Analysis) -> dict[str, Any]:
    sections = [_section(section) for section in one.sections]
    return {"metric": one.metric, "version": one.version, "params": dict(one.params), "sections": sections}


def _section(one: AnalysisSection) -> Mapping[str, Any]:
    said = {"key": one.key, "title": one.title, "definition": one.definition, "source": one.source}
    if isinstance(one, AnalysisTable):
        reasons = [{"row": row, "column": column, "reason": text} for (row, column), text in one.reasons.items()]
        return {"type": "table", **said, "rows": one.rows, "columns": one.columns, "units": one.units,
                "values": _lists(one.values), "reasons": reasons}  # fmt: skip
    if isinstance(one, AnalysisCurves):
        return {"type": "curves", **said, "x_label": one.x_label, "y_label": one.y_label, "names": one.names,
                "x": _lists(one.x), "y": _lists(one.y)}  # fmt: skip
    return {"type": "matrix", **said, "row_label": one.row_label, "column_label": one.column_label, "rows": one.rows,
            "columns": one.columns, "counts": one.counts.tolist()}  # fmt: skip


def _lists(array: np.ndarray) -> list[Any]:
    """The numbers of an array as lists, None for NaN."""
    plain = array.astype(object)
    plain[np.isnan(array)] = None
    return plain.tolist()
