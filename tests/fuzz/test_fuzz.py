"""A short run of the fuzzer over every kind of file, and that it finds what it looks for."""

from __future__ import annotations

import warnings
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hrbench.errors import InputError
from tests.fuzz import __main__ as fuzzer
from tests.fuzz.case import Case, NonsenseError, as_json, as_yaml, changed
from tests.fuzz.worker import Bench, cases

MUTANTS = 140
HANG = 600.0  # seconds; a busy machine may take long for any one


def test_a_short_run_finds_nothing():
    outcome = fuzzer.fuzz(list(fuzzer.jobs(MUTANTS, "*")), seed=20, seconds=HANG)
    assert not outcome.failures, fuzzer.told(outcome, 20)
    assert {case for case, _ in outcome.counts} == set(cases())
    assert sum(outcome.counts[case, "refused"] for case in cases()) > MUTANTS / 3
    assert sum(outcome.counts[case, "accepted"] for case in cases()) > MUTANTS / 20


# --- it finds what it looks for ---------------------------------------------------------------------------------------


def attempt(tmp_path: Path, read: Any, rule: Any = lambda before, after: "") -> tuple[str, str]:
    """What comes of one mutant; `read` gets whether its file was changed."""
    case = Case(
        "a",
        lambda folder: (folder / "a.json").write_text('{"a": [1, 2]}') and None,
        {"a.json": lambda data, random: b"[]"},
        lambda folder: read((folder / "a.json").read_bytes() == b"[]"),
        rule,
    )
    return Bench(tmp_path).attempt(case, 0, 1)


def raises(error: BaseException) -> Any:
    def read(mutant: bool) -> None:
        if mutant:
            raise error

    return read


def memory(mutant: bool) -> None:
    if mutant:
        try:
            raise MemoryError
        except MemoryError as error:
            raise InputError("damaged") from error


def warns(mutant: bool) -> None:
    if mutant:
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("read", "verdict", "says"),
    [
        (raises(InputError("wrong")), "refused", ""),
        (lambda mutant: 1, "accepted", ""),
        (raises(KeyError("a")), "failed", "KeyError"),
        (raises(RecursionError()), "failed", "RecursionError"),
        (raises(MemoryError()), "failed", "MemoryError"),
        (raises(NonsenseError("AP is 2")), "failed", "nonsense: AP is 2"),
        (raises(InputError("x" * 200_000)), "failed", "a refusal of 200000 letters"),
        (raises(InputError("\ud800")), "failed", "cannot be printed"),
        (memory, "failed", "more than 4 GB"),
        (warns, "failed", "a warning: overflow"),
    ],
)
def test_what_is_a_failure(tmp_path: Path, read: Any, verdict: str, says: str):
    found, why = attempt(tmp_path, read)
    assert found == verdict and says in why


def test_a_number_that_a_rule_forbids_is_a_failure(tmp_path: Path):
    found, why = attempt(tmp_path, lambda mutant: int(mutant), lambda before, after: f"{before} became {after}")
    assert (found, why) == ("failed", "a.json: nonsense: 0 became 1")


@pytest.mark.parametrize(("end", "says"), [("hang", "more than 30 s"), ("crash (SIGSEGV) ", "SIGSEGV")])
def test_a_hang_or_a_crash_is_a_failure_and_another_worker_goes_on(monkeypatch, end: str, says: str):
    started: list[int] = []

    class Dying:
        """A worker that does not come back from mutant 1."""

        def __init__(self, seed: int, keep: Path | None) -> None:
            started.append(seed)
            self.lines: list[dict[str, Any]] = []

        def ask(self, case: str, number: int) -> None:
            self.lines = [{"begun": 1}] + ([{"verdict": "refused", "why": ""}] if number != 1 else [])

        def line(self, seconds: float) -> dict[str, Any] | None:
            return self.lines.pop(0) if self.lines else None

        def end(self) -> str:
            return end

        def close(self) -> None:
            pass

    monkeypatch.setattr(fuzzer, "Worker", Dying)
    outcome = fuzzer.fuzz([("a", 0), ("a", 1), ("a", 2)], seed=7)
    assert outcome.counts == {("a", "refused"): 2, ("a", "failed"): 1} and started == [7, 7]
    ((_, number, why),) = outcome.failures
    assert number == 1 and says in why and "--seed 7 --case 'a' --number 1" in fuzzer.told(outcome, 7)


def test_a_worker_that_ends_is_told():
    worker = fuzzer.Worker(0, None)
    worker.ask("no such case", 0)
    assert worker.line(HANG) is None and "KeyError" in worker.end()


def test_mutants_are_decided_by_their_seed_and_differ(tmp_path: Path):
    made = set()
    for number in range(40):
        twice = [as_json(b'{"a": [1, 2.5, "x"], "b": {"c": null}}', Random(number)) for _ in range(2)]
        assert twice[0] == twice[1]
        made.add(twice[0])
    assert len(made) > 30
    assert as_yaml(b"a: [1, {b: c}]", Random(1)) == as_yaml(b"a: [1, {b: c}]", Random(1))


@pytest.mark.parametrize("name", sorted(cases()))
def test_every_mutator_changes_a_file(tmp_path: Path, name: str):
    """A case that never changes anything would never fail."""
    case = cases()[name]
    case.make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    seen = set()
    for number in range(30):
        path = changed(case, tmp_path, Random(number))
        seen.add(path) if path.read_bytes() != before[path] else None
        path.write_bytes(before[path])
    for pattern in case.mutators:
        assert seen & set(tmp_path.glob(pattern)), pattern
