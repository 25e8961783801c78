"""Files of a run as answers: as what they are, and so that none of them can run anything."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import PurePath
from urllib.parse import quote

from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hrbench.report.gallery import TYPES
from hrbench.serve.background import in_thread
from hrbench.serve.places import OpenFile

CHUNK = 1 << 20
"""Bytes that are read at a time."""

_TEXTS = (".txt", ".json", ".csv", ".md", ".tex", ".yaml", ".yml", ".xml", ".log", ".py")
_SHOWN = {**TYPES, ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8"}
_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
"""Of every file: it runs no script, sends no form and loads nothing from elsewhere, whoever wrote it."""


def file_answer(file: OpenFile, name: str) -> ASGIApp:
    """The content of a file, which is closed at the end. What is no text, picture or page is to be saved.

    The content has as many bytes as the file had when it was opened: one that grows is shown as it was then.
    """
    ending = PurePath(name).suffix.lower()
    kind = "text/plain; charset=utf-8" if ending in _TEXTS else _SHOWN.get(ending, "")
    headers = {"content-security-policy": _POLICY, "content-length": str(file.size)}
    if not kind:
        headers["content-disposition"] = f"attachment; filename*=utf-8''{quote(name, safe='')}"

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            chunks = _chunks(file) if scope["method"] == "GET" else ()
            media = kind or "application/octet-stream"
            await StreamingResponse(chunks, headers=headers, media_type=media)(scope, receive, send)
        finally:
            os.close(file.descriptor)

    return answer


async def _chunks(file: OpenFile) -> AsyncIterator[bytes]:
    at = 0
    while at < file.size:
        data = await in_thread(partial(os.pread, file.descriptor, min(CHUNK, file.size - at), at))
        if not data:
            return
        at += len(data)
        yield data
