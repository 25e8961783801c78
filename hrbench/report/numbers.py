"""The numbers of a report as JSON, for programs; and the JSON Schema of that file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hrbench.store.number_rows import COLUMNS, NUMBERS, WHOLE, number_rows
from hrbench.types import Result
from hrbench.version import __version__

SCHEMA = 1
"""Version of the file; raised if a column is taken away or changes its meaning. New columns do not raise it."""

_ALWAYS = ("run", "entry", "model", "use", "input", "status", "reason", "unstable_because")
_OBJECTS = ("protocol",)


def render_json(results: Sequence[Result], title: str = "") -> str:
    """The file: its version, and a row for each number with the columns of `hrbench.frame`.

    title: of the report.

    Numbers have all their digits, and one that does not exist is null. The same results give the same text.
    """
    rows = [{**row, "protocol": row["protocol"] and json.loads(row["protocol"])} for row in number_rows(results)]
    document = {"schema": SCHEMA, "hrbench": __version__, "title": title, "columns": dict(COLUMNS), "numbers": rows}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of report.json."""
    row = {
        "type": "object",
        "required": list(COLUMNS),
        "properties": {name: {"type": _types(name), "description": text} for name, text in COLUMNS.items()},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "report.json of hrbench",
        "type": "object",
        "required": ["schema", "hrbench", "title", "columns", "numbers"],
        "properties": {
            "schema": {"const": SCHEMA},
            "hrbench": {"type": "string", "description": "version that wrote the file"},
            "title": {"type": "string", "description": "of the report"},
            "columns": {"type": "object", "description": "name of a column -> what it holds"},
            "numbers": {"type": "array", "items": row},
        },
    }


def _types(name: str) -> list[str] | str:
    if name in _ALWAYS:
        return "string"
    kind = "number" if name in NUMBERS else "integer" if name in WHOLE else "object" if name in _OBJECTS else "string"
    return [kind, "null"]
