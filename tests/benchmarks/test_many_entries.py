"""What a suite of a thousand entries costs before a network runs, beside the commit before, and how it grows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commit_before import HERE, before, cpu_of, run
from many_entries import finish, write_suite

FEW, MANY = 100, 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Suites of 1, 100 and 1,000 entries, and run folders in which they are finished."""
    place = tmp_path_factory.mktemp("many")
    for many in (1, FEW, MANY):
        suite = write_suite(place / f"{many}.yaml", many)
        finish(place / f"run{many}", suite, place / "data")
        # The commit before writes the report again, by which today's would know it no more.
        shutil.copytree(place / f"run{many}", place / f"run{many}-before")
    return place


CHECK = """
import json, sys, time
from pathlib import Path
from hrbench.runner.check import Checker
from hrbench.runner.settings import Settings
from hrbench.store.run_folder import RunFolder
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known
names, start = known(), time.process_time()
suite = load_suite(sys.argv[1], names)
loaded = time.process_time() - start
with Checker(Settings(data=Path(sys.argv[2]), device="cpu"), RunFolder(sys.argv[3])) as checker:
    outcomes = [checker.check(suite.entries[0]).outcome]  # its network is built in another process
    start = time.process_time()
    outcomes += [checker.check(entry).outcome for entry in suite.entries[1:]]
print(json.dumps([loaded + time.process_time() - start, sorted(set(outcomes))]))
"""


def checked(tree: Path, folder: Path, many: int) -> tuple[float, list[str]]:
    """CPU seconds to read a suite and plan all of its entries, and what is told of them."""
    arguments = [str(folder / f"{many}.yaml"), str(folder / "data"), str(folder / "none")]
    seconds, outcomes = json.loads(run(tree, ["-c", CHECK, *arguments]).stdout)
    return seconds, outcomes


def test_an_entry_is_planned_in_a_tenth_of_the_time(benchmark, folder, tmp_path_factory) -> None:
    """Reading the suite and planning: 28 and 1.2 ms an entry were measured."""
    tree = before(tmp_path_factory)
    theirs, ours, grown = [], [], []
    for _ in range(3):
        theirs.append(checked(tree, folder, FEW))
        ours.append(checked(HERE, folder, FEW))
        grown.append(checked(HERE, folder, MANY)[0])
    assert {tuple(told) for _, told in (*theirs, *ours)} == {("predict",)}
    old, new = min(theirs)[0], min(ours)[0]
    benchmark.pedantic(checked, (HERE, folder, MANY), rounds=1)
    benchmark.extra_info.update(ms_an_entry=1e3 * new / FEW, before=1e3 * old / FEW, thousand=min(grown))
    assert new * 10 <= old
    assert min(grown) <= 12 * new


def resumed(tree: Path, folder: Path, many: int) -> float:
    """CPU seconds of a whole run of a suite that is finished, its report included."""
    command = ["-m", "hrbench", "run", str(folder / f"{many}.yaml"), "--plain", "--device", "cpu"]
    run_folder = folder / (f"run{many}" if tree == HERE else f"run{many}-before")
    return cpu_of(tree, [*command, "--data", str(folder / "data"), "--out", str(run_folder)])


def test_a_finished_suite_is_resumed_in_a_third_of_the_time(benchmark, folder, tmp_path_factory) -> None:
    """Above the same with one entry, by turns."""
    tree = before(tmp_path_factory)
    spent = {name: [] for name in ("one before", "few before", "one", "few", "many")}
    for _ in range(3):
        for name, many in (("one", 1), ("few", FEW), ("many", MANY)):
            spent[name].append(resumed(HERE, folder, many))
        for name, many in (("one before", 1), ("few before", FEW)):
            spent[name].append(resumed(tree, folder, many))
    least = {name: min(its) for name, its in spent.items()}
    benchmark.pedantic(resumed, (HERE, folder, FEW), rounds=1)
    benchmark.extra_info.update(least)
    assert 3 * (least["few"] - least["one"]) <= least["few before"] - least["one before"], least
    assert least["many"] - least["one"] <= 12 * (least["few"] - least["one"]), least


ROWS = """
import sys, time
from hrbench.report import published
from hrbench.report.layout import PublishedLayout
from pathlib import Path
file = Path(sys.argv[1])
source = PublishedLayout(file=file.name, section="rows")
start = time.process_time()
rows = published._section(source, file.parent)
print(time.process_time() - start, len(rows), repr(rows[-1]))
"""


def test_published_rows_are_read_in_a_seventh_of_the_time(benchmark, tmp_path, tmp_path_factory) -> None:
    """20,000 of them; 8 to 10 times were measured: 2.8 and 0.3 s."""
    file = tmp_path / "ours.yaml"
    row = "  - {{model: Network {0}, input: {1}x192, params_M: {2:.3f}, gflops: {3:.4f}, AP: {4}, source: Paper {1}}}\n"
    numbers = (
        (n, 256 + n % 4, 28.5 + n / 1000, 7.1 + n / 5000, 70 + n % 10 + n % 7 / 10, n % 50) for n in range(20_000)
    )
    file.write_text("rows:\n" + "".join(row.format(*each) for each in numbers))
    told: list[list[list[str]]] = [[], []]
    for _ in range(3):
        for tree, its in zip((before(tmp_path_factory), HERE), told, strict=True):
            its.append(run(tree, ["-c", ROWS, str(file)]).stdout.split(maxsplit=1))
    assert len({rest for its in told for _, rest in its}) == 1
    theirs, ours = (min(float(seconds) for seconds, _ in its) for its in told)
    benchmark.pedantic(run, (HERE, ["-c", ROWS, str(file)]), rounds=1)
    benchmark.extra_info.update(cpu_seconds=ours, before=theirs, ratio=theirs / ours)
    assert ours * 7 <= theirs
