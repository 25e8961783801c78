"""The command line: parses the arguments, calls one command, returns its exit code.

Only this room prints or exits.

Exit codes: 0 fine; 2 usage, or bad input; 3 an entry or a download failed, or nothing was measured; 70 an error
of hrbench itself (`last_resort.py`); 130 interrupted; 141 nobody reads the output (`run` goes on).
Imports nothing heavy: each command loads what it needs (`commands.py`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from hrbench.cli import judging_arguments
from hrbench.cli.argument_types import Once, count, gibibytes, names, natural, numbers, port, seconds
from hrbench.cli.examples import EPILOG, EXAMPLES
from hrbench.cli.last_resort import tell_unexpected
from hrbench.cli.standard_streams import READER_LEFT, TolerantEcho, echo, echo_error, flush, open_standard_streams
from hrbench.core.remote import mirror
from hrbench.core.remote.cache import bounded_to
from hrbench.errors import HrbenchError, Interrupted
from hrbench.version import __version__

MODULES = {
    "run": "run", "report": "run", "check": "check", "score": "score", "profile": "profile", "fetch": "fetch",
    "compare": "compare", "gate": "gate", "baseline": "gate",
    "history": "history", "doctor": "doctor", "explain": "explain", "serve": "serve",
}  # fmt: skip
"""Command -> the module of `hrbench.cli` that holds its function, if that is not `commands`."""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="hrbench",
        allow_abbrev=False,
        description="Measures high-resolution vision networks and writes tables like the papers'.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"hrbench {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            allow_abbrev=False,
            help=help,
            description=help[0].upper() + help[1:] + ".",
            epilog=EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    _run(command("run", "evaluate a suite, measure its costs, store the results, write the report"))
    _check(
        command(
            "check",
            "parse a suite, look for data and weights, build networks and pass shapes; runs nothing",
        )
    )
    _score(command("score", "score a file of predictions"))
    _profile(command("profile", "parameters, operations and latency of one network"))
    _report(command("report", "write html, md, csv, tex and json from stored results, of one run or several"))
    _explain(command("explain", "why the scores of stored entries are what they are: what each kind of error costs"))
    for name, help in (
        ("models", "networks there are, and which weights are on this disk"),
        ("datasets", "data sets there are, and which are on this disk"),
    ):
        listing = command(name, help)
        listing.add_argument("name", nargs="?", default="", help="a name, for all about it, or a pattern ('pose_*')")
        if name == "models":
            listing.add_argument("--task", metavar="TASK", default="", help="only networks of a task, such as pose")
        else:
            listing.add_argument("--check", action="store_true", help="look at the data: files, images, labels, digest")
            listing.add_argument("--all", action="store_true", dest="every", help="check every image, not a sample")
            listing.add_argument("--plain", action="store_true", help="lines instead of bars, for logs")
        _places(listing)
    _fetch(command("fetch", "download weights or data, with their digests checked"))
    listed = command("metrics", "metrics there are, and the files they read")
    listed.add_argument("name", nargs="?", default="", help="a name, for all about it: file, frame, example, options")
    schema = command("schema", "the JSON Schema of suite files, policies, gate.json, or report.json, for editors")
    kinds = ("suite", "policy", "gate", "report")
    schema.add_argument("kind", nargs="?", choices=kinds, default="suite", help="of what (suite)")
    judging_arguments.compare(command("compare", "judge stored results against others, number by number"))
    judging_arguments.gate(command("gate", "judge a run against a baseline under a policy, as an exit code"))
    judging_arguments.history(command("history", "numbers over baselines and runs, and where they changed"))
    _serve(command("serve", "show runs and baselines in a browser: a read-only site, on this machine alone by default"))
    _doctor(command("doctor", "what about this machine would disturb a measurement, and what to do"))
    judging_arguments.baseline(command("baseline", "save what a release was, to judge later ones against it"))
    return top


def _places(command: argparse.ArgumentParser) -> None:
    _data(command)
    _weights(command)


def _data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        metavar="DIR",
        default=os.environ.get("HRBENCH_DATA", "data"),
        help="folder of data sets, or its address as s3://bucket/folder (data/)",
    )
    _cache(command)


def _cache(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cache-size",
        metavar="SIZE",
        default="",
        help="how much of what lies at an address is kept in HRBENCH_CACHE, such as 200GB (50GB)",
    )


def _weights(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--weights",
        metavar="DIR",
        default=os.environ.get("HRBENCH_WEIGHTS", "weights"),
        help="folder of weights, under their publishers' file names, or its address (weights/)",
    )


def _suite(command: argparse.ArgumentParser) -> None:
    command.add_argument("suite", metavar="SUITE", help="a suite file, or the name of a shipped suite")
    _places(command)
    command.add_argument("--only", action=Once, metavar="GLOB", help="only entries whose name matches")
    command.add_argument("--limit", metavar="N", type=count, help="evaluate N images only, spread over the set")
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="set a value in every entry, e.g. cost.latency.batch=1 (repeatable)",
    )


def _run(command: argparse.ArgumentParser) -> None:
    _suite(command)
    command.add_argument("--out", metavar="DIR", help="run folder (runs/<suite>), or its address (s3://bucket/run)")
    command.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    command.add_argument(
        "--workers",
        metavar="N",
        type=natural,
        help="processes that prepare images and paste masks; 0 for threads (by images, cores and memory)",
    )
    command.add_argument("--plain", action="store_true", help="lines instead of bars, for logs")
    command.add_argument("--strict", action="store_true", help="missing data or weights are a failure (exit code 3)")
    command.add_argument(
        "--verify", action="store_true", help="also score by the metric's reference implementation, and compare"
    )
    command.add_argument(
        "--offline", action="store_true", help="never use the network, not even for a network's own source"
    )
    command.add_argument(
        "--rescore",
        action="store_true",
        help="score the stored predictions again; run no network and measure no cost",
    )
    command.add_argument(
        "--redo-unstable", action="store_true", help="measure stored costs again that the machine disturbed"
    )
    command.add_argument(
        "--in-process", action="store_true", help="run entries in this process, for debuggers; noted in the results"
    )
    command.add_argument(
        "--executor",
        metavar="E",
        default="local",
        help="where networks run: local, ray (joins RAY_ADDRESS, or starts a cluster here), or ray://HOST:PORT (local)",
    )
    command.add_argument(
        "--worker-memory",
        metavar="GIB",
        type=gibibytes,
        help="memory that each worker of a Ray cluster asks for",
    )


def _check(command: argparse.ArgumentParser) -> None:
    _suite(command)
    command.add_argument("--out", metavar="DIR", help="run folder whose results would be reused (runs/<suite>)")
    command.add_argument("--device", metavar="D", default="auto", help="that costs would be measured on (auto)")
    command.add_argument("--strict", action="store_true", help="missing data or weights are a failure (exit code 3)")
    command.add_argument(
        "--deep",
        action="store_true",
        help="decode a sample of each data set, and pass an image on the CPU where shapes tell nothing of a network",
    )


def _score(command: argparse.ArgumentParser) -> None:
    command.add_argument("metric", metavar="METRIC", help="a name of `hrbench metrics`")
    command.add_argument("--gt", metavar="PATH", default="", help="ground truth, in the metric's own format")
    command.add_argument("--pred", metavar="PATH", required=True, help="predictions, in the metric's own format")
    command.add_argument(
        "--dataset",
        metavar="NAME",
        default="",
        help="a data set of `hrbench datasets`: its classes, and its ground truth",
    )
    _data(command)
    command.add_argument(
        "--option",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="what the metric is made with, such as per_class=true; values are YAML (repeatable)",
    )
    command.add_argument("--sigmas", metavar="S,S,...", type=numbers, help="OKS constants, one for each joint")
    command.add_argument("--resamples", metavar="N", type=natural, default=1000, help="of the bootstrap (1000)")
    command.add_argument("--seed", metavar="N", type=natural, default=0, help="of the bootstrap (0)")
    command.add_argument(
        "--verify", action="store_true", help="also score by the metric's reference implementation, and compare"
    )
    command.add_argument("--json", action="store_true", help="scores as JSON")


def _profile(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model", metavar="MODEL", help="a name of `hrbench models`, SOURCE:NAME, or package.module:callable"
    )
    command.add_argument("--input", metavar="HxW", help="input size, where the model does not say or another is wanted")
    command.add_argument(
        "--task", metavar="TASK", default="", help="of a model that is not in the catalog (detection ...)"
    )
    command.add_argument(
        "--args",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="arguments of the network, written after MODEL; values are YAML, keys may be dotted (repeatable)",
    )
    command.add_argument("--depth", metavar="N", type=count, default=1, help="depth of the module ledger (1)")
    command.add_argument("--operators", action="store_true", help="the ledger by operator as well")
    command.add_argument(
        "--cross-check",
        nargs="?",
        choices=("meta", "cpu"),
        const="meta",
        help="count again by torch's FlopCounterMode and by fvcore where it is installed, and show where they differ; "
        "with `cpu` torch's counter sees the kernels that a CPU runs",
    )
    command.add_argument("--latency", action="store_true", help="measure latency as well")
    command.add_argument("--batch", metavar="N", type=count, default=1, help="batch of the latency (1)")
    command.add_argument("--dtype", metavar="T", default="float32", help="dtype of the latency (float32)")
    command.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda or cuda:N (auto)")


def _report(command: argparse.ArgumentParser) -> None:
    command.add_argument("runs", metavar="RUN", nargs="+", help="run folders, or their addresses")
    command.add_argument("--table", metavar="FILE", default="", help="a layout of your own, or a shipped one's name")
    command.add_argument(
        "--all", action="store_true", help="also entries that are stored there and not of the last run"
    )
    command.add_argument("--out", metavar="DIR", help="where to write (the first run folder)")
    command.add_argument(
        "--format",
        metavar="F,F,...",
        type=names,
        help="what to write, of html (with figures/), md, csv, tex and json (html,md,csv,tex)",
    )
    command.add_argument("--export", metavar="FILE", help="write names and numbers of each entry as JSON, too")
    command.add_argument(
        "--against",
        metavar="RUN",
        help="a run folder or baseline that the first screen holds the best against (what was replaced in RUN)",
    )
    command.add_argument(
        "--baselines",
        metavar="DIR",
        default=judging_arguments.BASELINES,
        help=f"folder of baselines ({judging_arguments.BASELINES})",
    )


def _explain(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN[:ENTRY]", help="a run folder, or one entry of it")
    command.add_argument("--metric", metavar="NAME", default="", help="of this metric only")
    command.add_argument(
        "--data",
        metavar="DIR",
        default="",
        help="folder of data sets, to analyse stored predictions of entries that were scored without an analysis",
    )
    command.add_argument("--all", action="store_true", dest="every", help="every row, point and pair")
    command.add_argument("--json", action="store_true", help="every number as JSON")


def _serve(command: argparse.ArgumentParser) -> None:
    command.add_argument("runs", metavar="RUNS", nargs="?", default="runs", help="folder of run folders (runs/)")
    command.add_argument(
        "--baselines",
        metavar="DIR",
        default=os.environ.get("HRBENCH_BASELINES", judging_arguments.BASELINES),
        help=f"folder of baselines ({judging_arguments.BASELINES})",
    )
    command.add_argument(
        "--host",
        metavar="HOST",
        default="127.0.0.1",
        help="where to listen; others than loopback need a token (127.0.0.1)",
    )
    command.add_argument("--port", metavar="N", type=port, default=8000, help="0 for a free one (8000)")
    command.add_argument(
        "--token",
        metavar="TOKEN",
        default="",
        help="that a browser must bring (HRBENCH_TOKEN, which unlike this is in no list of processes)",
    )


def _doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--seconds", metavar="S", type=seconds, default=3.0, help="how long to watch the machine at work (3)"
    )
    command.add_argument("--strict", action="store_true", help="exit 1 if anything disturbs")
    command.add_argument("--format", choices=("table", "json"), default="table", help="what is printed (table)")


def _fetch(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", metavar="weights|data", choices=["weights", "data"], help="what to download")
    command.add_argument(
        "name", metavar="NAME", help="a name of `hrbench models` or `hrbench datasets`, or a pattern ('cls_hrnet*')"
    )
    command.add_argument(
        "--source", metavar="S", default="", help="of the network's sources the one to take (the first)"
    )
    _places(command)
    command.add_argument("--keep", action="store_true", help="keep archives of data beside what is unpacked")
    command.add_argument("--offline", action="store_true", help="list what would be downloaded; never use the network")
    command.add_argument("--force", action="store_true", help="download again what is there")
    command.add_argument("--plain", action="store_true", help="lines instead of bars, for logs")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; every error is a line or two on standard error, without a traceback."""
    open_standard_streams()
    try:
        return _command(argv)
    except HrbenchError as error:
        echo_error(f"hrbench: {mirror.told(str(error))}")
        return error.exit_code
    except BrokenPipeError:  # the reader of our output left: nothing more to print
        return READER_LEFT
    except OSError as error:
        place = f": {mirror.told(str(error.filename))}" if error.filename else ""
        echo_error(f"hrbench: {error.strerror or error}{place}")
        return 2
    except KeyboardInterrupt:
        echo_error(f"\nhrbench: interrupted{_goes_on(argv)}")
        return 130
    except Interrupted as signal:
        echo_error(f"hrbench: {signal}{_goes_on(argv)}")
        return signal.exit_code
    except Exception as error:  # nobody expected it
        return tell_unexpected(error, sys.argv[1:] if argv is None else argv)


def _goes_on(argv: Sequence[str] | None) -> str:
    """What an interrupted command may be told: whether it goes on or begins anew."""
    command = next(iter(sys.argv[1:] if argv is None else argv), "")
    return "; the same command goes on where this one stopped" if command in ("run", "fetch") else ""


def _command(argv: Sequence[str] | None) -> int:
    """The exit code of the command that the arguments name."""
    try:
        args = parser().parse_args(argv)
    except SystemExit:  # --help and --version have printed, the error of a wrong argument is printed
        flush()
        raise
    module = import_module(f"hrbench.cli.{MODULES.get(args.command, 'commands')}")
    with bounded_to(getattr(args, "cache_size", "")):
        return getattr(module, args.command)(args, TolerantEcho() if args.command == "run" else echo)
