"""pytest runs a suite: each entry is a test, judged against a baseline.

    pytest suites/pose.yaml --hrbench-against v1.2

Nothing happens unless a suite is named on the command line, and nothing heavy is imported before.

An entry is judged when it has run, and counts the required numbers of all other entries in Holm's correction, as the
gate does. What concerns the release as a whole (an entry that is gone, a floor without a number, a policy that requires
nothing) is the last test, "gate": it is `hrbench gate` of all entries that ran.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hrbench.ci import pytest_options

if TYPE_CHECKING:
    from hrbench.judge.gate import Decision
    from hrbench.judge.sides import Side
    from hrbench.store.run_folder import RunFolder
    from hrbench.types import Entry, Policy, Result, Suite

_SUITE = re.compile(r"^suite\s*:", re.MULTILINE)
TOLD = "hrbench"
"""The property of a test's report with what a person should know though the test passed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    pytest_options.add_options(parser)


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
    here = config.invocation_params.dir
    named = dict.fromkeys(Path(here, text.partition("::")[0]).resolve() for text in config.args)
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
    if not suites or config.option.dist not in ("load", "worksteal", "loadgroup"):
        return None
    from xdist.scheduler import LoadScopeScheduling

    class SuiteScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if not file or (config.rootpath / file).resolve() in suites:
                return file  # "" for a suite beyond the root folder
            return nodeid.rpartition("@")[2] if nodeid.rfind("@") > nodeid.rfind("]") else nodeid

    return SuiteScheduling(config, log)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Against what the suites are judged; first where the policy is not the baseline's."""
    suites, option = _suites_named(config), config.option
    if not suites or not option.hrbench_against:
        return []
    found = []
    for path in suites:
        before, policy = pytest_options.before(config), pytest_options.policy(config, path)
        from hrbench.store.places import shown
        from hrbench.suite.gate import policy_of_run

        if policy != policy_of_run(before.path):
            found.append(f"hrbench: the policy of {option.hrbench_policy or path} is not that of {shown(before.path)}")
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


def _is_alone() -> bool:
    """Whether this is the only process that runs tests, so that times mean something."""
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) < 2


_OPEN: pytest.StashKey[SuiteFile] = pytest.StashKey()
"""The suite whose processes run."""


# --- the tests -------------------------------------------------------------------------------------------------------


class SuiteFile(pytest.File):
    """A suite: its entries are tests, which share a run folder and its processes."""

    suite: Suite
    policy: Policy
    before: Side | None = None
    ran: dict[str, bool]
    """Entry -> whether it has a result, of those that ran; those that were skipped have none."""
    _run: Callable[[Entry], Result] | None = None
    _stored: RunFolder | None = None
    _required: dict[str, int] | None = None

    def collect(self) -> Iterator[pytest.Item]:
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
        self.policy = pytest_options.policy(self.config, self.path)
        self.before = pytest_options.before(self.config) if option.hrbench_against else None
        self.ran: dict[str, bool] = {}
        for entry in self.suite.entries:
            item = EntryItem.from_parent(self, name=entry.name, entry=entry)
            item.add_marker(pytest.mark.hrbench)
            for mark in (entry.variant.task, self.tier(entry)):
                if mark and mark != "ignored":
                    item.add_marker(getattr(pytest.mark, mark))
            yield item
        if self.before is not None:
            last = GateItem.from_parent(self, name="gate")
            last.add_marker(pytest.mark.hrbench)
            yield last

    def tier(self, entry: Entry) -> str:
        """The highest tier of the entry's numbers, as far as the baseline tells which it has."""
        from hrbench.judge.policies import tiers_of

        former = None if self.before is None else self.before.results.get(entry.name)
        tiers = tiers_of(self.policy, entry.name, [] if former is None else [former])
        return next((tier for tier in ("required", "watched", "ignored") if tier in tiers), "required")

    def run_entry(self, entry: Entry) -> Result:
        """Runs one entry; the suite's processes start with the first and end with the session."""
        from hrbench.runner.suite import opened_suite

        if self._run is None:
            if other := self.config.stash.get(_OPEN, None):
                other.close()  # two suites may share a run folder
            stack, settings = ExitStack(), pytest_options.settings(self.config)
            self._run = stack.enter_context(opened_suite(self.suite, self.stored, settings))
            self._stack = stack
            self.config.stash[_OPEN] = self
            self.config.add_cleanup(self.close)
        result = self._run(entry)
        self.ran[entry.name] = result.status != "empty"
        return result

    def close(self) -> None:
        """Ends the suite's processes and lets go of its run folder."""
        if self._run is not None:
            self._run = None
            self._stack.close()

    @property
    def stored(self) -> RunFolder:
        """The run folder. Without latencies it is another one, whose results would replace those with latencies."""
        from hrbench.store.elsewhere.runs import run_folder

        if self._stored is None:
            default = Path("runs") / (self.suite.name if _is_alone() else f"{self.suite.name}-without-latency")
            self._stored = run_folder(self.config.option.hrbench_out or default)
        return self._stored

    def judge(self, entry: str) -> Decision:
        """What the gate says of an entry that has run."""
        from glob import escape

        from hrbench.judge.compare import compare
        from hrbench.judge.gate import decide
        from hrbench.judge.sides import read_side, selected
        from hrbench.statistics.paired import MOST

        assert self.before is not None
        release = read_side(str(self.stored.path), Path())
        former, release = selected(self.before, escape(entry)), selected(release, escape(entry))
        chosen = {item.name for item in self.session.items if item.parent is self}
        others = sum(many for name, many in self.required().items() if name in chosen and name != entry)
        options = pytest_options.judging(self.config)
        made = compare(former, release, self.policy, options, most=MOST, only=True, others=others)
        return decide(made, self.config.option.hrbench_strict)

    def judge_all(self) -> Decision:
        """What the gate says of all entries that ran: without those that were skipped, and not chosen."""
        from dataclasses import replace

        from hrbench.judge.compare import compare
        from hrbench.judge.gate import decide
        from hrbench.judge.sides import read_side
        from hrbench.statistics.paired import MOST

        assert self.before is not None
        left_out = {entry.name for entry in self.suite.entries if not self.ran.get(entry.name, False)}
        whole = not any(name not in self.ran for name in left_out)

        def kept(side: Side) -> Side:
            names = [name for name in side.results if name not in left_out and (whole or name in self.ran)]
            return replace(side, results={name: side.results[name] for name in names})

        former, release = kept(self.before), kept(read_side(str(self.stored.path), Path()))
        made = compare(former, release, self.policy, pytest_options.judging(self.config), most=MOST, only=not whole)
        return decide(made, self.config.option.hrbench_strict)

    def required(self) -> dict[str, int]:
        """Entry -> how many of its accuracies are required, with classes and slices: the gate's family."""
        from hrbench.judge.compare import compare

        if self._required is None:
            assert self.before is not None
            rows = compare(self.before, self.before, self.policy, pytest_options.judging(self.config)).rows
            counted = [
                row.entry
                for row in rows
                if row.tier == "required" and row.evidence.metric and row.judgement.p is not None
            ]
            self._required = {name: counted.count(name) for name in counted}
        return self._required


class EntryFailed(Exception):
    """Why an entry's test fails, in lines for a person."""


def _why(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """What a failure shows instead of a traceback; "" for an error that nobody foresaw."""
    return str(excinfo.value) if isinstance(excinfo.value, EntryFailed) else ""


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
            hold(self, suite.judge(self.entry.name))

    def _note(self, result: Result) -> None:
        """Numbers as properties of junit.xml, and latencies for pytest-benchmark."""
        for one in result.scores:
            if one.value is not None and "/" not in one.quantity.name:
                self.user_properties.append((f"{one.metric}/{one.quantity.name}", one.value))
        if (session := getattr(self.config, "_benchmarksession", None)) is not None:
            from hrbench.ci.benchmark_samples import add_latencies

            add_latencies(session, self, result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return _why(excinfo) or super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        line = self.entry.where.rpartition(":")[2]
        return self.path, int(line) - 1 if line.isdigit() else None, f"{self.path.name}: {self.name}"


class GateItem(pytest.Item):
    """The gate of the entries that ran, the last test of a suite."""

    parent: SuiteFile

    def runtest(self) -> None:
        from hrbench.errors import HrbenchError

        if not any(self.parent.ran.values()):
            pytest.skip("no entry has a result")
        try:
            decision = self.parent.judge_all()
        except HrbenchError as error:
            raise EntryFailed(str(error)) from None
        if decision.exit_code:
            raise EntryFailed("\n".join([decision.words, _lines(decision.blocking)]).rstrip())
        if notes := decision.comparison.notes:
            self.user_properties.append((TOLD, "\n".join(notes)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return _why(excinfo) or super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name}: {self.name}"


def hold(item: pytest.Item, decision: Decision) -> None:
    """Passes, fails or expects to fail, as the gate decides of an entry."""
    if decision.blocking:
        raise EntryFailed(_lines(decision.blocking))
    if not decision.comparison.compared:
        raise EntryFailed(decision.words)
    if decision.told:
        item.user_properties.append((TOLD, _lines(decision.told)))
    unsure = [row for row in decision.told if row.tier == "required" and row.verdict == "cannot tell"]
    if unsure:
        pytest.xfail(_lines(unsure))


def _lines(rows: Iterable[Any]) -> str:
    """Rows of a comparison, a line each: number, before, after, difference, margin, verdict."""
    from hrbench.report import difference

    return "\n".join("  ".join(difference.cells(row)[2:]) for row in rows)
