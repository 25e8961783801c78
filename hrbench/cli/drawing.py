"""Pictures for the page of a comparison: the images that changed most, with what is annotated, before and after."""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.cli.standard_streams import echo_error
from hrbench.core.remote.mirror import local_folder
from hrbench.errors import HrbenchError, InputError
from hrbench.judge.sides import Side
from hrbench.report.changed_images import Draw, Pictures
from hrbench.report.gallery import data_uri
from hrbench.store.integrity import changed_files
from hrbench.types import Result

if TYPE_CHECKING:
    from hrbench.runner.evaluate import EventHandler
    from hrbench.runner.execution import Processes


@contextmanager
def drawing(args: Namespace, sides: Sequence[Side]) -> Iterator[Draw]:
    """What renders images of two results, in processes that start with the first of them. Progress: standard error."""
    results = [result for side in sides for result in side.results.values()]
    with ExitStack() as stack:
        opened: list[tuple[Processes, EventHandler]] = []
        # removed after the processes that write in it have ended
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hrbench-")))

        def begin() -> tuple[Processes, EventHandler]:
            from hrbench.cli.progress import Bars, Lines
            from hrbench.runner.execution import Processes
            from hrbench.runner.remeasure import folders_of
            from hrbench.runner.settings import Settings

            processes = Processes.open(Settings(data=local_folder(args.data), device="cpu"), folders_of(results))
            stack.callback(processes.close)
            display = Bars() if sys.stderr.isatty() else Lines(echo_error)
            stack.callback(display.close)
            opened.append((processes, display))
            return opened[0]

        def draw(first: Result, second: Result, metric: str, images: Sequence[int | str]) -> Pictures:
            if not local_folder(args.data).is_dir() and not _has_own_files(second):
                return Pictures(reason=f"there is no folder {args.data} (--data names the folder of data sets)")
            with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
                try:
                    running = opened[0] if opened else begin()
                    return _drawn(*running, (first, second), metric, images, Path(folder))
                except HrbenchError as error:
                    return Pictures(reason=str(error))

        yield draw


def _drawn(
    processes: Processes,
    on_event: EventHandler,
    pair: tuple[Result, Result],
    metric: str,
    images: Sequence[int | str],
    folder: Path,
) -> Pictures:
    from hrbench.runner import jobs

    first, second = pair
    for result in (first, second):
        _check_predictions(result)
    data = second.provenance.dataset
    request = jobs.request(
        second.entry,
        processes.settings,
        metric=metric,
        images=list(images),
        digest=None if data is None else data.sha256,
        sides={"before": str(Path(first.folder).resolve()), "after": str(Path(second.folder).resolve())},
        folder=str(folder),
    )
    returned, _ = processes.call("pictures", request, on_event, second.entry, None, network=False)
    return Pictures(
        {
            image: {kind: data_uri(folder, file) for kind, file in files.items()}
            for image, files in returned["pictures"].items()
        }
    )


def _has_own_files(result: Result) -> bool:
    """Whether the data set was written in the suite, with paths of its own."""
    row = result.entry.dataset
    return row is not None and any(isinstance(value, str) and Path(value).is_absolute() for value in row.args.values())


def _check_predictions(result: Result) -> None:
    """Raises InputError if files of the result, of those that lie there, are not as they were stored."""
    folder = Path(result.folder)
    there = {name: digest for name, digest in result.files.items() if "/" not in name and (folder / name).exists()}
    if wrong := changed_files(folder, there):
        raise InputError(f"{folder / wrong[0]} is not the file that was stored with the result")
