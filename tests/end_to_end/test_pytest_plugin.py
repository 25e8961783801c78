"""`pytest SUITE.yaml`: entries as tests in a pytest of their own, with its options, xdist and pytest-benchmark."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
from forked_pytest import ForkedPytest
from small_sets import drawn_with

from hrbench.cli.command_line import main

pytestmark = pytest.mark.numeric
BENCHMARK = Path(sys.executable).with_name("pytest-benchmark")
MODULES = ("numpy", "cv2", "scipy.special", "hrbench.runner.suite", "hrbench.runner.evaluate", "hrbench.judge.gate")
"""What nearly every call imports."""
NETWORK = "{name: net, model: cls_resnet_miniature_imagenet, cost: {latency: {batch: [1], budget: 1}}}"
SUITE = """
suite: classes
defaults: {{dataset: {{base: miniature-imagenet, count: 60}}, resamples: 20, cost: {{latency: false}}}}
{gate}
entries:
  - {network}
  - {{name: good, predictions: {good}.csv}}
  - {{name: other, predictions: other.csv}}
  - {{name: lost, model: cls_hrnet_w18}}
"""


class Place:
    """A folder with data, predictions, a run and the baseline v1 of it."""

    def __init__(self, folder: Path, forked: ForkedPytest) -> None:
        self.folder, self.forked = folder, forked

    def suite(self, good: str = "good", gate: str = "", network: str = NETWORK) -> None:
        (self.folder / "classes.yaml").write_text(SUITE.format(good=good, gate=gate, network=network))

    def pytest(self, *arguments: str, suite: str = "classes.yaml") -> tuple[int, str]:
        """Exit code and output of a pytest that knows nothing of this one."""
        wanted = ["hrbench.ci.pytest_plugin"]
        wanted += ["xdist"] if "-n" in arguments else []
        wanted += ["pytest_benchmark.plugin"] if any("--benchmark" in one for one in arguments) else []
        plugins = [word for name in wanted for word in ("-p", name)]
        words = [suite, *plugins, "-p", "no:cacheprovider", "--rootdir", str(self.folder), "--hrbench-data", "data"]
        if len(wanted) == 1:
            return self.forked([*words, *arguments], self.folder, surroundings())
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words, *arguments],
            cwd=self.folder, env=surroundings(), capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


def surroundings() -> dict[str, str]:
    """Of a pytest with only the plug-ins that take part: each further one takes a second to import."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return found | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def outcomes(text: str) -> dict[str, str]:
    """Entry -> how its test ended, of `pytest -v`."""
    return dict(re.findall(r"classes\.yaml::(\w+)(?:@\S+)? (PASSED|FAILED|SKIPPED|XFAIL)", text))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    forked = ForkedPytest(MODULES, surroundings())
    made = Place(tmp_path_factory.mktemp("releases & more"), forked)
    folder = made.folder
    made.suite()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with drawn_with(60):
            (folder / "first.yaml").write_text(
                "suite: first\ndefaults: {cost: {latency: false}, resamples: 0}\nentries:\n"
                "  - {name: net, model: cls_resnet_miniature_imagenet,"
                " dataset: {base: miniature-imagenet, count: 60}}\n"
            )
            assert main(["run", "first.yaml", "--data", "data", "--plain", "--in-process"]) == 0
        shutil.copyfile("runs/first/entries/net/predictions.csv", "good.csv")
        shutil.copyfile("good.csv", "other.csv")
        with Path("good.csv").open() as stream:
            head, *rows = csv.reader(stream)
        with Path("bad.csv").open("w", newline="") as stream:  # half of the images get the classes of another image
            moved = [row if at % 2 else [row[0], *rows[(at + 31) % len(rows)][1:]] for at, row in enumerate(rows)]
            csv.writer(stream).writerows([head, *moved])
        assert main(["run", "classes.yaml", "--data", "data", "--plain"]) == 0
        assert main(["baseline", "save", "runs/classes", "v1"]) == 0
    yield made
    forked.close()


def test_it_is_silent_unless_a_suite_is_named(place: Place) -> None:
    (place.folder / "test_nothing.py").write_text("def test_nothing(): pass\n")
    (place.folder / "data.yaml").write_text("values: [1, 2]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    found = [sys.executable, "-m", "pytest", "--trace-config", "--collect-only", "-p", "no:cacheprovider"]
    done = subprocess.run(found, cwd=place.folder, env=environment, capture_output=True, text=True, check=False)
    assert "hrbench.ci.pytest_plugin" in done.stdout  # pytest finds it by itself
    code, text = place.pytest("-q", suite="test_nothing.py")
    assert code == 0 and "1 passed" in text and "hrbench:" not in text
    assert "no tests ran" in place.pytest("-q", suite="data.yaml")[1]
    code, text = place.pytest("-q", "--collect-only", suite=".")
    assert code == 0 and "classes.yaml" not in text
    # and nothing heavy is imported for it
    code = "import sys, hrbench.ci.pytest_plugin; print(sorted({'torch', 'numpy', 'pandas'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_equal_entries_pass_and_missing_data_skip(place: Place) -> None:
    place.suite()
    code, text = place.pytest("-v", "--hrbench-against", "v1", "--junitxml", "junit.xml", "-rs")
    assert code == 0, text
    assert outcomes(text) == {**dict.fromkeys(("net", "good", "other", "gate"), "PASSED"), "lost": "SKIPPED"}
    assert "hrbench: judged against v1" in text and "no weights of cls_hrnet_w18 found" in text
    cases = {case.get("name"): case for case in xml.parse(place.folder / "junit.xml").iter("testcase")}
    assert set(cases) == {"net", "good", "other", "lost", "gate"}
    properties = {one.get("name"): one.get("value") for one in cases["good"].iter("property")}
    stored = json.loads((place.folder / "runs/classes/entries/good/result.json").read_text())["result"]["scores"]
    assert properties == {f"topk/{one['quantity']['name']}": str(one["value"]) for one in stored}
    code, text = place.pytest("-v", "--hrbench-against", "v1", "--hrbench-strict", "-k", "lost or other")
    assert code == 1 and outcomes(text) == {"other": "PASSED", "lost": "FAILED"}


def test_a_regression_fails_with_its_row_and_x_stops(place: Place) -> None:
    place.suite("bad")
    code, text = place.pytest("-v", "--hrbench-against", "v1", "-x", "-k", "good or other", "--hrbench-out", "worse")
    assert code == 1, text
    assert outcomes(text) == {"good": "FAILED"}  # and `other` did not run
    assert re.search(r"topk/top1 .*−\d+\.\d+ \[−.* regressed", text), text
    assert not (place.folder / "worse" / "entries" / "other").exists()


def test_what_cannot_be_told_is_expected_to_fail_or_fails_by_policy(place: Place) -> None:
    place.suite("bad", gate="gate: {margins: {top1: 40}}")
    arguments = ("-v", "--hrbench-against", "v1", "-k", "good", "--hrbench-out", "open")
    code, text = place.pytest(*arguments, "-rx")
    assert code == 0 and outcomes(text) == {"good": "XFAIL"}, text
    assert "cannot tell" in text
    assert "the policy of" in text and "is not that of" in text
    code, text = place.pytest(*arguments, "--hrbench-strict")
    assert code == 1 and outcomes(text) == {"good": "FAILED"}
    place.suite("bad", gate="gate: {margins: {top1: 40}, open: block}")
    code, text = place.pytest(*arguments)
    assert code == 1 and outcomes(text) == {"good": "FAILED"}


def test_what_concerns_the_release_as_a_whole_is_the_last_test(place: Place) -> None:
    """An entry that is gone, a floor without a number, a policy that requires nothing: as the gate has them."""
    place.suite()
    shutil.copytree(place.folder / "runs/classes", place.folder / "less")  # so that no network runs again
    whole = (place.folder / "classes.yaml").read_text()
    (place.folder / "classes.yaml").write_text(whole.replace("  - {name: other, predictions: other.csv}\n", ""))
    code, text = place.pytest("-v", "--hrbench-against", "v1", "--hrbench-out", "less")
    assert code == 1 and outcomes(text)["gate"] == "FAILED" and "is missing" in text, text
    assert outcomes(text)["good"] == "PASSED"
    for rules, told in (
        ("floors: [top9 >= 0.1]", "there is no such number for the floor top9 >= 0.1"),
        ("rules: [{quantity: '*', tier: watched}]", "nothing is required"),
    ):
        place.suite(gate=f"gate: {{{rules}}}")
        code, text = place.pytest("-v", "--hrbench-against", "v1")
        assert code == 1 and outcomes(text)["gate"] == "FAILED" and told in text, text
        assert set(outcomes(text).values()) == {"PASSED", "SKIPPED", "FAILED"}
    # and a part of the suite is held to what it has
    place.suite()
    code, text = place.pytest("-v", "--hrbench-against", "v1", "-k", "good or gate")
    assert code == 0 and outcomes(text) == {"good": "PASSED", "gate": "PASSED"}


def test_two_suites_may_share_a_run_folder(place: Place) -> None:
    place.suite()
    shutil.copyfile(place.folder / "classes.yaml", place.folder / "again.yaml")
    code, text = place.pytest("-v", "again.yaml", "--hrbench-out", "runs/classes", "-k", "good")
    assert code == 0 and text.count("PASSED") == 2, text


def test_marks_name_task_and_tier(place: Place) -> None:
    rules = "[{entry: other, quantity: '*', tier: watched}]"
    place.suite("bad", gate=f"gate: {{rules: {rules}}}")
    code, text = place.pytest("-q", "--collect-only", "--strict-markers", "--hrbench-against", "v1", "-m", "watched")
    assert code == 0 and re.findall(r"::(\w+)", text) == ["other"], text
    code, text = place.pytest("-q", "--collect-only", "-m", "classification and required", "--hrbench-against", "v1")
    assert re.findall(r"::(\w+)", text) == ["net", "good", "lost"]


def test_a_watched_regression_passes_and_is_told(place: Place) -> None:
    place.suite("bad", gate="gate: {rules: [{entry: good, quantity: '*', tier: watched}]}")
    code, text = place.pytest("-v", "--hrbench-against", "v1", "-k", "good", "--hrbench-out", "watched")
    assert code == 0 and outcomes(text) == {"good": "PASSED"}
    assert "classes.yaml::good\ntopk/top1 " in text and "regressed" in text


def test_workers_share_no_suite_and_measure_no_latency(place: Place) -> None:
    place.suite()
    code, text = place.pytest("-v", "-n", "2", "--hrbench-against", "v1")
    found = {name: (worker, how) for worker, how, name in re.findall(r"\[(gw\d)\].* (\w+) classes\.yaml::(\w+)", text)}
    assert code == 0 and set(found) == {"net", "good", "other", "lost", "gate"}, text
    assert len({worker for worker, _ in found.values()}) == 1
    units = [
        one["quantity"]["unit"]
        for path in (place.folder / "runs/classes-without-latency/entries").glob("*/result.json")
        for one in json.loads(path.read_text())["result"]["costs"]
    ]
    assert units and "seconds" not in units


def test_pytest_benchmark_stores_and_compares_the_samples(place: Place) -> None:
    place.suite()
    for _ in range(2):
        code, text = place.pytest("-q", "-k", "net", "--benchmark-autosave", "--benchmark-save-data")
        assert code == 0 and "Saved benchmark data" in text, text
    files = sorted((place.folder / ".benchmarks").rglob("*.json"))
    stored = json.loads(files[0].read_text())["benchmarks"]
    assert len(files) == 2 and [one["name"] for one in stored] == ["net[batch 1]"]
    costs = json.loads((place.folder / "runs/classes/entries/net/result.json").read_text())["result"]["costs"]
    assert stored[0]["stats"]["data"] == next(one["samples"] for one in costs if one["quantity"]["name"] == "latency")
    done = subprocess.run(
        [BENCHMARK, "compare"], cwd=place.folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0 and done.stdout.count("net[batch 1]") == 2, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--hrbench-against", "v9"), "--hrbench-against: v9: neither a run folder nor a baseline"),
        (("--hrbench-policy", "none.yaml", "--hrbench-against", "v1"), "none.yaml: cannot be read"),
        (("--hrbench-set", "cost.latncy=1"), "unknown key 'latncy'; did you mean latency?"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(place: Place, arguments: tuple[str, ...], told: str) -> None:
    place.suite()
    code, text = place.pytest("-q", *arguments)
    assert code != 0 and told in text and "Traceback" not in text, text
