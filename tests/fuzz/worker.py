"""Tries mutants in a process of its own with little memory. One line of JSON tells of each when it begins and ends.

Standard input gives the jobs, a line "case<TAB>number" each; the number and the seed decide the mutant.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.case import Case, NonsenseError, changed

MEMORY = 4 << 30
"""Bytes that a worker may write to, and address space that it may have beyond that of the libraries."""


@cache
def cases() -> dict[str, Case]:
    """Every case by name."""
    from tests.fuzz import hub, networks, scores, sets, stored, texts, transfers

    listed = [*scores.CASES, *texts.CASES, *stored.CASES, *sets.CASES, *networks.CASES, *hub.CASES, *transfers.CASES]
    found = {case.name: case for case in listed}
    assert len(found) == len(listed)
    return found


def seeded(seed: int, case: str, number: int) -> random.Random:
    return random.Random(f"{seed}/{case}/{number}")


class Bench:
    """Valid folders of each case, made once, and what they give."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.valid: dict[str, tuple[Path, Any]] = {}

    def valid_of(self, case: Case) -> tuple[Path, Any]:
        if case.name not in self.valid:
            folder = self.place / f"valid{len(self.valid)}"
            folder.mkdir()
            case.make(folder)
            work = self.place / "valid"
            shutil.copytree(folder, work)
            self.valid[case.name] = (folder, case.read(work))  # an error here is one of the harness
            shutil.rmtree(work)
        return self.valid[case.name]

    def attempt(self, case: Case, seed: int, number: int, keep: Path | None = None) -> tuple[str, str]:
        """("accepted" | "refused" | "failed", why) of one mutant."""
        folder, before = self.valid_of(case)
        work = self.place / f"mutant{number}"
        shutil.copytree(folder, work)
        path = changed(case, work, seeded(seed, case.name, number))
        if keep is not None:
            shutil.copytree(work, keep, dirs_exist_ok=True)
        try:
            verdict, why = _judged(case, work, before)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return verdict, f"{path.relative_to(work)}: {why}" if why else ""


def _judged(case: Case, work: Path, before: Any) -> tuple[str, str]:
    from hrbench.errors import HrbenchError

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            after = case.read(work)
        except HrbenchError as error:
            return _refused(error)
        except NonsenseError as error:
            return "failed", f"nonsense: {error}"
        except (Exception, RecursionError):
            return "failed", traceback.format_exc()
    loud = [one for one in told if issubclass(one.category, (RuntimeWarning, UserWarning))]
    if loud:
        return "failed", f"a warning: {loud[0].message} ({loud[0].filename}:{loud[0].lineno})"
    wrong = case.rule(before, after)
    return ("failed", f"nonsense: {wrong}") if wrong else ("accepted", "")


def _refused(error: BaseException) -> tuple[str, str]:
    """A refusal is a sentence, and has asked for no more memory than there is."""
    text = str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or "Unable to allocate" in str(cause) or "can't allocate" in str(cause):
            return "failed", f"more than {MEMORY >> 30} GB were asked for: {text[:300]}"
        cause = cause.__cause__ or cause.__context__
    if len(text) > 100_000:
        return "failed", f"a refusal of {len(text)} letters: {text[:300]}"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "failed", f"a refusal that cannot be printed: {text[:300]!r}"
    return "refused", ""


def main() -> None:
    seed, keep = int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print does not mix with the lines
    import torch

    torch.set_num_threads(1)
    cases()
    whole = MEMORY + int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (whole, whole))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="hrbench-fuzz-") as place:
        bench = Bench(Path(place))
        for line in sys.stdin:
            name, _, number = line.rstrip("\n").partition("\t")
            bench.valid_of(cases()[name])
            print(json.dumps({"begun": [name, int(number)]}), file=out, flush=True)
            verdict, why = bench.attempt(cases()[name], seed, int(number), keep)
            print(json.dumps({"ended": [name, int(number)], "verdict": verdict, "why": why}), file=out, flush=True)


if __name__ == "__main__":
    main()
