"""Arguments of the commands that judge: compare, gate, baseline."""

from __future__ import annotations

import argparse
import os

from hrbench.cli.argument_types import Once, natural, replicates, seconds
from hrbench.judge.across import ACROSS

BASELINES = "reports/baselines"


def compare(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "sides", metavar="A B", nargs="+", help="run folders, baselines, addresses, or RUN:ENTRY; each against A"
    )
    _how(command)
    command.add_argument("--changed", action="store_true", help="only numbers that are not much the same")
    command.add_argument(
        "--sort", choices=("entry", "verdict", "change"), default="entry", help="order of the rows (entry)"
    )
    command.add_argument(
        "--format", choices=("table", "md", "json", "csv"), default="table", help="what is printed (table)"
    )
    command.add_argument(
        "--html", metavar="FILE", help="write a page, too, with plots and the images that changed most"
    )
    command.add_argument(
        "--replicates",
        metavar="N",
        type=replicates,
        default=2000,
        help="of the bootstrap, at most, in blocks of 2,000 (2000)",
    )


def gate(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="the run folder of the release")
    command.add_argument("--against", metavar="BASELINE", required=True, help="a baseline, or the run folder before")
    command.add_argument("--policy", metavar="FILE", help="a policy; by default `gate:` of the suite stored in RUN")
    command.add_argument("--strict", action="store_true", help="a required number that cannot be told blocks (exit 4)")
    command.add_argument(
        "--out", metavar="DIR", help="where gate.json, junit.xml, summary.md and comparison.html go (RUN)"
    )
    command.add_argument("--annotations", action="store_true", help="print GitHub's annotations, too")
    _how(command)


def baseline(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    save = actions.add_parser("save", help="save a run's results and states", allow_abbrev=False)
    save.add_argument("run", metavar="RUN", help="a run folder")
    save.add_argument("name", metavar="NAME", help="of the baseline, such as v1.2")
    save.add_argument("--note", metavar="TEXT", default="", help="kept with it")
    save.add_argument(
        "--gallery", metavar="N", type=natural, default=0, help="keep small pictures of each entry's N worst images"
    )
    save.add_argument("--replace", action="store_true", help="replace a baseline of that name")
    listing = actions.add_parser("list", help="the baselines there are", allow_abbrev=False)
    show = actions.add_parser("show", help="what a baseline holds", allow_abbrev=False)
    show.add_argument("name", metavar="NAME")
    remove = actions.add_parser("remove", help="delete a baseline", allow_abbrev=False)
    remove.add_argument("name", metavar="NAME")
    for action in (save, listing, show, remove):
        _folder(action)


def history(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "quantity", metavar="QUANTITY", nargs="?", default="",
        help="a number, such as AP or coco-boxes/AP, whose changes are looked for; by default main numbers, in short",
    )  # fmt: skip
    command.add_argument("--only", action=Once, metavar="GLOB", default="", help="only entries whose name matches")
    command.add_argument("--runs", metavar="DIR", default="runs", help="folder of run folders (runs)")
    _folder(command)
    command.add_argument("--format", choices=("table", "csv", "json"), default="table", help="what is printed (table)")
    command.add_argument("--html", metavar="FILE", help="write a page, too, with a drawing of each series")
    command.add_argument("--export", choices=("mlflow",), help="send every release to a tracking server, too")
    command.add_argument(
        "--tracking", metavar="URI", default="",
        help="with --export: where to, such as sqlite:///mlflow.db or http://host:5000 (MLFLOW_TRACKING_URI)",
    )  # fmt: skip
    command.add_argument("--seed", metavar="N", type=natural, default=0, help="of the bootstrap (0)")


def _folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--baselines",
        metavar="DIR",
        default=os.environ.get("HRBENCH_BASELINES", BASELINES),
        help=f"folder of baselines ({BASELINES})",
    )


def _how(command: argparse.ArgumentParser) -> None:
    command.add_argument("--only", action=Once, metavar="GLOB", default="", help="only entries whose name matches")
    command.add_argument(
        "--match", metavar="OLD=NEW", action="append", default=[], help="an entry that was renamed; one * each"
    )
    command.add_argument("--classes", action="store_true", help="numbers of single classes, too")
    command.add_argument(
        "--across", metavar="CONDITION", action="append", choices=ACROSS, default=[],
        help=f"a condition of costs that is meant to differ: {', '.join(ACROSS)} (repeatable)",
    )  # fmt: skip
    command.add_argument(
        "--common-images", action="store_true", help="judge on the images that both sides have with equal truth"
    )
    command.add_argument("--groups", action="store_true", help="resample whole groups of images, such as cities")
    command.add_argument(
        "--slices", metavar="FILE", help="a CSV file of image and slice: each number on each slice, too (AP:night)"
    )
    command.add_argument("--trust-stored", action="store_true", help="judge times that were measured apart")
    command.add_argument(
        "--remeasure", action="store_true", help="measure latencies of both again, in turns, on this machine"
    )
    command.add_argument(
        "--time",
        metavar="SECONDS",
        type=seconds,
        help="with --remeasure: end within so long; a row whose 7 rounds, the least, would take longer says so",
    )
    command.add_argument(
        "--python", metavar="FILE", help="with --remeasure: measure A by the python of another environment"
    )
    command.add_argument("--device", metavar="D", default="auto", help="with --remeasure: auto, cpu, cuda or cuda:N")
    command.add_argument(
        "--data", metavar="DIR", default=os.environ.get("HRBENCH_DATA", "data"),
        help="folder of data sets, whose images that changed most are drawn on the page (data/)",
    )  # fmt: skip
    command.add_argument("--seed", metavar="N", type=natural, default=0, help="of the bootstrap (0)")
    _folder(command)
