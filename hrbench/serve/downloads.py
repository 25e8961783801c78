"""Files of a run as answers: as what they are, and so that none of them can run anything."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import PurePath
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from hrbench.report.gallery import TYPES
from hrbench.serve.background import in_thread
from hrbench.serve.places import OpenFile

CHUNK = 1 << 20
"""Bytes that are read at a time."""

_TEXTS = (".txt", ".json", ".csv", ".md", ".tex", ".yaml", ".yml", ".xml", ".log", ".py")
_SHOWN = {**TYPES, ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8"}
_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
"""Of every file: it runs no script, sends no form and loads nothing from elsewhere, whoever wrote it."""


def file_answer(file: OpenFile, name: str) -> Response:
    """The content of a file, which is closed at the end. Others than texts, pictures and pages are to be saved."""
    ending = PurePath(name).suffix.lower()
    kind = "text/plain; charset=utf-8" if ending in _TEXTS else _SHOWN.get(ending, "")
    headers = {"content-security-policy": _POLICY, "content-length": str(file.size)}
    if not kind:
        headers["content-disposition"] = f"attachment; filename*=utf-8''{quote(name, safe='')}"
    return StreamingResponse(_chunks(file), headers=headers, media_type=kind or "application/octet-stream")


async def _chunks(file: OpenFile) -> AsyncIterator[bytes]:
    """As many bytes as the file had when it was opened: one that grows is shown as it was then."""
    try:
        left = file.size
        while left and (data := await in_thread(lambda: os.read(file.descriptor, min(CHUNK, left)))):  # noqa: B023
            left -= len(data)
            yield data
    finally:
        os.close(file.descriptor)
