"""The command `hrbench serve`: a read-only site over a folder of runs and baselines."""

from __future__ import annotations

import os
import tempfile
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.cli.shared import Echo
from hrbench.cli.standard_streams import echo_error
from hrbench.core.remote.addresses import local_path
from hrbench.errors import MissingError, UsageError

if TYPE_CHECKING:
    from hrbench.serve.site import Site


def serve(args: Namespace, echo: Echo) -> int:
    """Serves until it is interrupted."""
    from hrbench.runner.executors.interrupts import interruptible

    try:
        from hrbench.serve import access, server, site
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "h11"):
            raise
        raise MissingError(f"`hrbench serve` needs {error.name}: pip install 'hrbench[serve]'") from None
    given = args.token or os.environ.get("HRBENCH_TOKEN", "")
    token = access.checked_token(given) if given else ""
    with interruptible(), _work_folder() as work:
        shown = site.site(
            _folder(args.runs), _folder(args.baselines), work, lambda told: echo_error(f"hrbench: {told}")
        )
        listening = server.listen(args.host, args.port, token)
        with listening.socket:
            echo(f"{args.runs} at {listening.address} (read only; Ctrl-C ends it)")
            threading.Thread(target=_read_ahead, args=(shown,), name="index", daemon=True).start()
            server.serve(listening, site.app(shown))
    return 0


def _folder(text: str) -> Path:
    path = local_path(text)
    if path is None:
        raise UsageError(f"`hrbench serve` shows folders of this machine, not {text}: `hrbench report` takes addresses")
    return path


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A folder that is gone at the end: uvicorn raises SIGTERM again, so it ends through `interruptible` alone."""
    prefix = f"hrbench-serve-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _read_ahead(shown: Site) -> None:
    """Reads the index while nobody has asked for it yet."""
    with suppress(Exception):  # the page will tell
        shown.overview.rows()
