"""pytest runs a suite: each entry is a test, judged against a baseline.

    pytest suites/pose.yaml --hrbench-against v1.2

Nothing happens unless a suite is named on the command line, and nothing heavy is imported before.

The verdicts are those of `hrbench gate`: an entry is judged when it has run, and counts the required numbers of all
other entries in Holm's correction, so that some test regresses if and only if the gate would.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hrbench.judge.gate import Decision
    from hrbench.judge.sides import Side
    from hrbench.types import Entry, Policy, Result, Suite

_SUITE = re.compile(r"^suite\s*:", re.MULTILINE)
TOLD = "hrbench"
"""The property of a test's report with what a person should know though the test passed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hrbench", "suites of hrbench (pytest SUITE.yaml)")
    add = group.addoption
    add("--hrbench-against", metavar="BASELINE", default="", help="judge every entry against a baseline or run folder")
    add("--hrbench-policy", metavar="FILE", default="", help="a policy; by default `gate:` of the suite")
    add("--hrbench-strict", action="store_true", help="missing data or weights, and what cannot be told, are failures")
    add("--hrbench-out", metavar="DIR", default="", help="run folder (runs/SUITE)")
    add("--hrbench-baselines", metavar="DIR", default="", help="folder of baselines (reports/baselines)")
    add("--hrbench-data", metavar="DIR", default="", help="folder of data sets (data/)")
    add("--hrbench-weights", metavar="DIR", default="", help="folder of weights (weights/)")
    add("--hrbench-device", metavar="D", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    add("--hrbench-set", metavar="KEY=VALUE", action="append", default=[], help="set a value in every entry")
    add("--hrbench-limit", metavar="N", type=int, default=None, help="evaluate N images only, spread over the set")


def pytest_configure(config: pytest.Config) -> None:
    asked = _suites_named(config)
    for mark in ("hrbench: an entry of a suite", *_TIERS, *(_tasks() if asked else ())):
        config.addinivalue_line("markers", mark)


_TIERS = ("required: an entry whose regression fails", "watched: an entry whose regression is told")


def _tasks() -> Iterator[str]:
    from hrbench.core.plugins import names

    return (f"{task}: an entry of this task" for task in names("hrbench.tasks"))


def _suites_named(config: pytest.Config) -> list[Path]:
    """The suites on the command line."""
    named = dict.fromkeys(Path(config.invocation_params.dir, text.partition("::")[0]) for text in config.args)
    return [path for path in named if path.suffix in (".yaml", ".yml") and path.is_file() and _is_suite(path)]


def _is_suite(path: Path) -> bool:
    try:
        return _SUITE.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The entries of a suite share a run folder, so one worker runs them; all other tests are handed out as usual."""
    suites = _suites_named(config)
    if not suites or config.option.dist not in ("load", "worksteal"):
        return None
    from xdist.scheduler import LoadScopeScheduling

    class SuiteScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if config.rootpath / file in suites else nodeid

    return SuiteScheduling(config, log)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Against what the suites are judged; first where the policy is not the baseline's."""
    suites, option = _suites_named(config), config.option
    if not suites or not option.hrbench_against:
        return []
    found = []
    for path in suites:
        before, policy = _before(config), _policy(config, path)
        from hrbench.suite.gate import policy_of_run

        if policy != policy_of_run(before.path):
            found.append(f"hrbench: the policy of {option.hrbench_policy or path} is not that of {before.path}")
    return [*found, f"hrbench: judged against {option.hrbench_against}"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
    if file_path.suffix not in (".yaml", ".yml") or not parent.session.isinitpath(file_path):
        return None
    return SuiteFile.from_parent(parent, path=file_path) if _is_suite(file_path) else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What a person should know of entries that passed."""
    told = [
        (report.nodeid, text)
        for report in terminalreporter.stats.get("passed", ())
        for name, text in report.user_properties
        if name == TOLD
    ]
    if told:
        terminalreporter.section("hrbench")
    for nodeid, text in told:
        terminalreporter.write_line(f"{nodeid}\n{text}")


# --- what the options say --------------------------------------------------------------------------------------------


def _baselines(config: pytest.Config) -> Path:
    from hrbench.judge.baseline import FOLDER

    return Path(config.option.hrbench_baselines or os.environ.get("HRBENCH_BASELINES", FOLDER))


def _before(config: pytest.Config) -> Side:
    """The side that entries are judged against. Raises pytest.UsageError if it cannot be read or trusted."""
    from hrbench.errors import HrbenchError
    from hrbench.judge.gate import check_baseline
    from hrbench.judge.sides import read_side

    try:
        side = read_side(config.option.hrbench_against, _baselines(config))
        check_baseline(side)
    except HrbenchError as error:
        raise pytest.UsageError(f"--hrbench-against: {error}") from None
    return side


def _policy(config: pytest.Config, suite: Path) -> Policy:
    from hrbench.errors import HrbenchError
    from hrbench.suite.gate import read_policy, suite_policy
    from hrbench.types import Policy

    try:
        if config.option.hrbench_policy:
            return read_policy(Path(config.option.hrbench_policy))
        return suite_policy(suite) or Policy()
    except HrbenchError as error:
        raise pytest.UsageError(str(error)) from None


def _is_alone() -> bool:
    """Whether this is the only process that runs tests, so that times mean something."""
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) < 2


# --- the tests -------------------------------------------------------------------------------------------------------


class SuiteFile(pytest.File):
    """A suite: its entries are tests, which share a run folder and its processes."""

    suite: Suite
    policy: Policy
    before: Side | None = None
    _run: Callable[[Entry], Result] | None = None

    def collect(self) -> Iterator[EntryItem]:
        from hrbench.errors import HrbenchError
        from hrbench.suite import load, registry

        option = self.config.option
        overrides = [*option.hrbench_set, *([] if _is_alone() else ["cost.latency=false"])]
        try:
            self.suite = load.load_suite(
                self.path, registry.known(), overrides=tuple(overrides), limit=option.hrbench_limit
            )
        except HrbenchError as error:
            raise self.CollectError(str(error)) from None
        self.policy = _policy(self.config, self.path)
        self.before = _before(self.config) if option.hrbench_against else None
        for entry in self.suite.entries:
            item = EntryItem.from_parent(self, name=entry.name, entry=entry)
            item.add_marker(pytest.mark.hrbench)
            for mark in (entry.variant.task, self.tier(entry)):
                if mark and mark != "ignored":
                    item.add_marker(getattr(pytest.mark, mark))
            yield item

    def tier(self, entry: Entry) -> str:
        """The highest tier of the entry's numbers, as far as the baseline tells which it has."""
        from hrbench.judge.policies import tiers_of

        former = None if self.before is None else self.before.results.get(entry.name)
        tiers = tiers_of(self.policy, entry.name, [] if former is None else [former])
        return next((tier for tier in ("required", "watched", "ignored") if tier in tiers), "required")

    def run_entry(self, entry: Entry) -> Result:
        """Runs one entry; the suite's processes start with the first and end with the session."""
        from hrbench.runner.settings import Settings
        from hrbench.runner.suite import opened_suite
        from hrbench.store.run_folder import RunFolder

        if self._run is None:
            option, stack = self.config.option, ExitStack()
            settings = Settings(
                data=Path(option.hrbench_data or os.environ.get("HRBENCH_DATA", "data")),
                weights=Path(option.hrbench_weights or os.environ.get("HRBENCH_WEIGHTS", "weights")),
                device=option.hrbench_device,
            )
            self._run = stack.enter_context(opened_suite(self.suite, RunFolder(self.folder), settings))
            self.config.add_cleanup(stack.close)
        return self._run(entry)

    @property
    def folder(self) -> Path:
        """The run folder. Without latencies it is another one, whose results would replace those with latencies."""
        default = Path("runs") / (self.suite.name if _is_alone() else f"{self.suite.name}-without-latency")
        return Path(self.config.option.hrbench_out or default)

    def judge(self, entry: Entry) -> Decision:
        """What the gate says of an entry that has run."""
        from glob import escape

        from hrbench.judge.compare import compare
        from hrbench.judge.gate import decide
        from hrbench.judge.policies import tiers_of
        from hrbench.judge.sides import read_side, selected
        from hrbench.statistics.paired import MOST

        assert self.before is not None
        release = selected(read_side(str(self.folder), Path()), escape(entry.name))
        former = selected(self.before, escape(entry.name))
        ran = {item.name for item in self.session.items if item.parent is self} - {entry.name}
        others = sum(
            tiers_of(self.policy, name, [result]).count("required")
            for name, result in self.before.results.items()
            if name in ran
        )
        made = compare(former, release, self.policy, most=MOST, only=True, others=others)
        return decide(made, self.config.option.hrbench_strict)


class EntryFailed(Exception):
    """Why an entry's test fails, in lines for a person."""


class EntryItem(pytest.Item):
    """An entry of a suite as a test."""

    parent: SuiteFile

    def __init__(self, *, entry: Entry, **more: Any) -> None:
        super().__init__(**more)
        self.entry = entry

    def runtest(self) -> None:
        from hrbench.errors import HrbenchError

        suite = self.parent
        try:
            result = suite.run_entry(self.entry)
        except HrbenchError as error:
            raise EntryFailed(str(error)) from None
        self._note(result)
        if result.status == "failed" or result.costs_reason is not None:
            raise EntryFailed(result.reason or str(result.costs_reason))
        if result.status == "empty":
            if self.config.option.hrbench_strict:
                raise EntryFailed(result.reason)
            pytest.skip(result.reason)
        if suite.before is not None and self.entry.name in suite.before.results:
            self._hold(suite.judge(self.entry))

    def _note(self, result: Result) -> None:
        """Numbers as properties of junit.xml, and latencies for pytest-benchmark."""
        for one in result.scores:
            if one.value is not None and "/" not in one.quantity.name:
                self.user_properties.append((f"{one.metric}/{one.quantity.name}", one.value))
        add_latencies(self, result)

    def _hold(self, decision: Decision) -> None:
        """Passes, fails or expects to fail, as the gate decides."""
        if decision.blocking:
            raise EntryFailed(_lines(decision.blocking))
        if not decision.comparison.compared:
            raise EntryFailed(decision.words)
        if decision.told:
            self.user_properties.append((TOLD, _lines(decision.told)))
        unsure = [row for row in decision.told if row.tier == "required" and row.verdict == "cannot tell"]
        if unsure:
            pytest.xfail(_lines(unsure))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, EntryFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        line = self.entry.where.rpartition(":")[2]
        return self.path, int(line) - 1 if line.isdigit() else None, f"{self.path.name}: {self.name}"


def _lines(rows: Iterable[Any]) -> str:
    """Rows of a comparison, a line each: number, before, after, difference, margin, verdict."""
    from hrbench.report import difference

    return "\n".join("  ".join(difference.cells(row)[2:]) for row in rows)


def add_latencies(item: pytest.Item, result: Result) -> None:
    """Hands the raw samples of latencies to pytest-benchmark, if it is there and takes part.

    It shows them in its table, and stores them as its options say (--benchmark-autosave), so that
    `pytest-benchmark compare` reads them.
    """
    session = getattr(item.config, "_benchmarksession", None)
    if session is None or session.disabled or session.skip:
        return
    from types import SimpleNamespace

    from pytest_benchmark.stats import Metadata

    from hrbench.judge.costs import cell_of

    for one in result.costs:
        if one.quantity.name == "latency" and one.samples:
            cell = cell_of(one)
            about = SimpleNamespace(
                name=f"{item.name}[{cell}]",
                fullname=f"{item.nodeid}[{cell}]",
                group=None,
                param=cell,
                params={"batch": one.conditions.batch, "dtype": one.conditions.dtype},
                extra_info=_conditions(one.conditions.stated()),
                cprofile_stats=None,
                has_error=False,
            )
            made = Metadata(about, iterations=1, options={"timer": "perf_counter", "rounds": len(one.samples)})
            for seconds in one.samples:
                made.update(seconds)
            session.benchmarks.append(made)


def _conditions(stated: dict[str, Any]) -> dict[str, Any]:
    """What JSON can hold of the conditions."""
    return {name: value for name, value in stated.items() if isinstance(value, (str, int, float, bool, Sequence))}
