"""A server that imports it gives jobs that it asks to end half a second for it; others give two."""

from __future__ import annotations

from hrbench.runner.executors import server

server.GRACE_SECONDS = 0.5
