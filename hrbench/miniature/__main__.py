"""`python -m hrbench.miniature`: draw the miniature sets, train the miniature networks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hrbench.errors import HrbenchError, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m hrbench.miniature",
        description="Draw the miniature data sets and train the narrow networks that ship with hrbench.",
        epilog="example: python -m hrbench.miniature train pose_hrnet_miniature_coco --out new.safetensors",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train one network, ten minutes or so on two cores")
    train.add_argument("name", help="a miniature network of the catalog")
    train.add_argument("--out", type=Path, help="the weights file to write (default: the one that ships)")
    train.add_argument("--iterations", type=int, help="instead of the recipe's number")
    draw = commands.add_parser("draw", help="draw one test set, as a run does on first use")
    draw.add_argument("name", help="a miniature data set of the catalog")
    draw.add_argument("folder", type=Path, help="where; it must not exist")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "train":
            _train(chosen.name, chosen.out, chosen.iterations)
        else:
            _draw(chosen.name, chosen.folder)
    except HrbenchError as error:
        print(f"hrbench.miniature: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _train(name: str, out: Path | None, iterations: int | None) -> None:
    from hrbench.miniature.train.loop import Progress
    from hrbench.miniature.train.recipes import train_and_save  # torch is slow to import

    if iterations is not None and iterations < 1:
        raise UsageError(f"--iterations {iterations}: at least one is needed")

    def on_progress(news: str | Progress) -> None:
        if isinstance(news, Progress):
            minutes, seconds = divmod(round(news.left), 60)
            news = (
                f"{news.done:6d} of {news.total}  loss {news.loss:.6f}  "
                f"{news.rate:.1f} iterations/s  {minutes}:{seconds:02d} left"
            )
        print(news, flush=True)

    print(f"wrote {train_and_save(name, out, iterations, on_progress)}")


def _draw(name: str, folder: Path) -> None:
    from hrbench.catalog import datasets
    from hrbench.core.plugins import resolve

    drawn = {row.name: row.draw for row in datasets().values() if row.draw}
    if name not in drawn:
        raise UsageError(f"there is no miniature data set {name!r} to draw; there are {', '.join(sorted(drawn))}")
    if folder.exists():
        raise UsageError(f"{folder} exists already: name a folder that does not")
    resolve("hrbench.datasets", drawn[name])(folder)
    print(f"drew {folder}")


if __name__ == "__main__":
    sys.exit(main())
