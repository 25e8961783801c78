"""Fuzzes everything that hrbench reads.

    python -m tests.fuzz                                    10,000 mutants of all kinds
    python -m tests.fuzz --mutants 500 --seed 3 --only 'coco*'
    python -m tests.fuzz --case coco-boxes --number 17 --keep folder    one mutant again, and its files

Each mutant must be refused by an error of hrbench, or be read and give what a reference implementation gives or what a
rule of its kind allows. A traceback, a crash, a warning, more than 30 seconds, more than 4 GB, or a wrong number is a
failure; its line has what is needed to try it again. Exits 1 if there was one.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
"""That one mutant may take."""


@dataclass
class Outcome:
    """counts: (case, verdict) -> mutants. failures: (case, number, why)."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[str, int, str]] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")


class Worker:
    """A process that tries mutants; started anew after a crash or a hang."""

    def __init__(self, seed: int, keep: Path | None) -> None:
        paths = [str(ROOT), str(ROOT / "tests/helpers"), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", str(seed), *([str(keep)] if keep else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if keep is None else None,
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                "OMP_NUM_THREADS": "1",
                "MALLOC_ARENA_MAX": "2",
            },
        )
        self.selector = selectors.DefaultSelector()
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        if self.process.stderr is not None:
            os.set_blocking(self.process.stderr.fileno(), False)
            self.selector.register(self.process.stderr, selectors.EVENT_READ)
        self.text, self.said, self.ended = b"", b"", False

    def ask(self, case: str, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{case}\t{number}\n".encode())
        self.process.stdin.flush()

    def line(self, seconds: float) -> dict[str, object] | None:
        """The next line; None if the process has ended or says nothing for so long."""
        end = time.monotonic() + seconds
        while b"\n" not in self.text:
            left = end - time.monotonic()
            ready = self.selector.select(left) if left > 0 else []
            if not ready:
                return None
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if key.fileobj is self.process.stdout:
                    if not data:
                        self.ended = True
                        return None
                    self.text += data
                elif data:
                    self.said = (self.said + data)[-4000:]
                else:
                    self.selector.unregister(key.fileobj)
        line, _, self.text = self.text.partition(b"\n")
        return json.loads(line)

    def end(self) -> str:
        """Ends the process; says how it ended if it had ended by itself."""
        if not self.ended:
            self.process.kill()
            self._close()
            return "hang"
        status = self.process.wait()
        if self.process.stderr is not None:
            os.set_blocking(self.process.stderr.fileno(), True)
            self.said += self.process.stderr.read()
        self._close()
        said = self.said.decode(errors="replace").strip()[-1500:]
        return f"crash ({signal.Signals(-status).name if status < 0 else f'exit {status}'}) {said}"

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self.process.wait()
        self.selector.close()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # of what the process no longer reads
                    stream.close()


def jobs(mutants: int, only: str) -> Iterator[tuple[str, int]]:
    """(case, number) of each mutant, the cases one after another in proportion to their shares."""
    from tests.fuzz.worker import cases

    chosen = [case for case in cases().values() if fnmatch.fnmatchcase(case.name, only)]
    if not chosen:
        raise SystemExit(f"no case matches {only!r}; there are {', '.join(cases())}")
    whole = sum(case.share for case in chosen)
    for case in chosen:
        for number in range(max(1, round(mutants * case.share / whole))):
            yield case.name, number


def fuzz(planned: list[tuple[str, int]], seed: int, keep: Path | None = None, seconds: float = SECONDS) -> Outcome:
    """Tries mutants one after another; a crash or a hang ends its worker, and another goes on.

    planned: (case, number) of each.
    seed: decides each mutant, with its case and number.
    keep: where the files of the mutants are kept, if anywhere.
    seconds: that one may take.
    """
    outcome = Outcome()
    worker: Worker | None = None
    for case, number in planned:
        if worker is None:
            worker = Worker(seed, keep)
        worker.ask(case, number)
        begun = worker.line(600.0)  # with the valid files of the case, and the imports
        if begun is None:
            raise SystemExit(f"the harness fails in the case {case}: {worker.end()}")
        start = time.monotonic()
        ended = worker.line(seconds)
        took = time.monotonic() - start
        if ended is None:
            why = worker.end()
            outcome.counts[case, "failed"] += 1
            outcome.failures.append((case, number, f"more than {seconds:.0f} s" if why == "hang" else why))
            worker = None
            continue
        outcome.slowest = max(outcome.slowest, (took, f"{case} {number}"))
        outcome.counts[case, str(ended["verdict"])] += 1
        if ended["verdict"] == "failed":
            outcome.failures.append((case, number, str(ended["why"])))
    if worker is not None:
        worker.close()
    return outcome


def told(outcome: Outcome, seed: int) -> str:
    """The outcome as a table and, for each failure, how to try it again."""
    lines = [f"{'case':52}{'refused':>9}{'accepted':>10}{'failed':>8}"]
    for case in dict.fromkeys(case for case, _ in outcome.counts):
        refused, accepted, failed = (outcome.counts[case, verdict] for verdict in ("refused", "accepted", "failed"))
        lines.append(f"{case:52}{refused:>9}{accepted:>10}{failed:>8}")
    for case, number, why in outcome.failures:
        lines.append(
            f"\nFAILED {case!r} {number}: python -m tests.fuzz --seed {seed} --case {case!r} --number {number}"
        )
        lines.append(why)
    seconds, slow = outcome.slowest
    lines.append(
        f"\n{outcome.counts.total()} mutants, {len(outcome.failures)} failures; the slowest {slow}: {seconds:.2f} s"
    )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description="Fuzzes everything that hrbench reads.")
    parser.add_argument("--mutants", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--seed", type=int, default=0, help="of all mutants (0)")
    parser.add_argument("--only", default="*", metavar="GLOB", help="only cases whose name matches")
    parser.add_argument("--case", default="", help="with --number: one mutant again")
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=None, metavar="DIR", help="with --case: where its files are kept")
    args = parser.parse_args()
    sys.path[:0] = [str(ROOT / "tests/helpers")]
    planned = [(args.case, args.number)] if args.case else list(jobs(args.mutants, args.only))
    outcome = fuzz(planned, args.seed, args.keep)
    print(told(outcome, args.seed))
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
