"""Runs, baselines and pages in an object store that fails now and then: equal to those of the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import count, cycle
from pathlib import Path
from typing import Any

import pytest
from local_s3 import KEY, SECRET, LocalS3, S3Request, local_s3
from store_machine import Machine
from stored_results import contents, store

import hrbench
import hrbench.core.remote.file_system as file_system
from hrbench.cli.command_line import main
from hrbench.core.remote import Remote, RetryPolicy
from hrbench.store.elsewhere.objects import RunStore
from hrbench.store.run_folder import RunFolder
from hrbench.types import Result

URL = "s3://elsewhere/runs/tiny"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalS3]:
    with local_s3() as running:
        yield running


@pytest.fixture
def s3(server: LocalS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalS3:
    """The server with an empty bucket, and a machine whose cache is empty."""
    monkeypatch.setattr(file_system, "RetryPolicy", lambda: RetryPolicy(first_wait=0))
    monkeypatch.setenv("HRBENCH_CACHE", str(tmp_path / "cache"))
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.forget()
    server.fill("elsewhere")
    bucket = Remote.open("s3://elsewhere/")
    for one in bucket.list():
        bucket.delete(one.name)
    return server


def now_and_then(every: int):
    """Of the requests each with this number in turn meets a fault, one kind after the other."""
    number, faults = count(1), cycle(["500", "cut", "lost", "half", "slow:0.01", "503"])
    return lambda request: next(faults) if next(number) % every == 0 else ""


def settled(result: Path) -> dict[str, Any]:
    """A stored result without what differs between any two runs: dates, seconds, and its own digest."""
    found = json.loads(result.read_text())
    whole = found["result"]
    whole["seconds"] = {}
    whole["provenance"].pop("date")
    return {"result": whole}


def test_a_run_elsewhere_is_that_of_the_disk(bench, s3, capsys, monkeypatch, tmp_path: Path):
    suite = bench.suite(SUITE)
    monkeypatch.chdir(tmp_path)
    remote = [part.replace(str(tmp_path / "run"), URL) for part in bench.arguments(suite)]
    assert main(bench.arguments(suite)) == 0
    here = capsys.readouterr().out
    s3.fail(now_and_then(every=5))
    assert main(remote) == 0
    there = capsys.readouterr().out
    faults = [request for request in s3.requests if request.fault]
    assert len(faults) > 10
    assert f"report: {URL}/report.html" in there
    assert here.splitlines()[-3] == there.splitlines()[-3]

    found = Path(hrbench.load(URL)[0].folder).parents[1]
    local, stored = contents(tmp_path / "run"), contents(found)
    for name in ("one", "two"):
        place = Path("entries") / name / "result.json"
        assert settled(found / place) == settled(tmp_path / "run" / place)
        assert stored[f"entries/{name}/states.npz"] == local[f"entries/{name}/states.npz"]
    assert stored["run.json"] == local["run.json"]

    # again, and from another machine: no network is run, and every file that is needed is fetched with its digest
    s3.requests.clear()
    assert main(remote) == 0
    assert capsys.readouterr().out.count("stored already") == 2
    commits = RunStore(Remote.open(URL)).numbers()
    monkeypatch.setenv("HRBENCH_CACHE", str(tmp_path / "other machine"))
    assert main(remote) == 0
    assert capsys.readouterr().out.count("stored already") == 2
    assert len(RunStore(Remote.open(URL)).numbers()) > len(commits)

    assert main(["compare", str(tmp_path / "run"), f"{URL}:one", "--only", "one", "--format", "json"]) == 0
    (rows,) = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in rows["rows"] if row["metric"]} == {"unchanged"}
    baselines = ["--baselines", "s3://elsewhere/baselines"]
    assert main(["baseline", "save", URL, "v1", *baselines]) == 0
    assert main(["baseline", "list", *baselines]) == 0
    assert "v1" in capsys.readouterr().out
    assert main(["gate", URL, "--against", "v1", *baselines]) == 0
    assert json.loads(Remote.open(URL).read("gate.json"))["outcome"] == "passed"
    assert (
        main(["gate", str(tmp_path / "run"), "--against", "s3://elsewhere/baselines/v1", "--out", "s3://elsewhere/g"])
        == 0
    )
    assert hrbench.gate(URL, against="s3://elsewhere/baselines/v1").outcome == "passed"
    assert main(["history", "AP", "--runs", "s3://elsewhere/runs", *baselines, "--format", "json"]) == 0
    told = capsys.readouterr()
    assert {row["path"] for row in json.loads(told.out[told.out.index("[\n") :])} == {"s3://elsewhere/baselines/v1"}
    assert main(["report", URL, "--out", str(tmp_path / "page")]) == 0
    assert main(["explain", f"{URL}:one"]) == 0
    assert main(["baseline", "remove", "v1", *baselines]) == 0
    assert Remote.open("s3://elsewhere/baselines").list() == []

    said = capsys.readouterr()
    files = Remote.open(URL)
    pages = {one.name for one in files.list()}
    assert {"report.html", "report.md", "report.csv", "report.tex", "gate.json", "comparison.html"} <= pages
    everything = [files.read(name) for name in pages]
    everything += [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    for secret in (KEY, SECRET):
        assert secret not in said.out + said.err + here + there
        assert not any(secret.encode() in data for data in everything)


def test_what_cannot_be_is_one_line(s3, bench, capsys, tmp_path: Path):
    suite = bench.suite(SUITE)
    for arguments, code, line in (
        (["report", URL], 2, f"there is no run folder {URL}"),
        (["compare", f"{URL}:one", "runs"], 2, f"{URL}:one: neither a run folder nor a baseline"),
        (["gate", URL, "--against", "v1"], 2, f"there is no run folder {URL}"),
        (["compare", f"s3://{KEY}:{SECRET}@elsewhere/a", "b"], 2, "an address holds no keys"),
        (["run", str(suite), "--out", "s3://nowhere/runs"], 2, "no such bucket"),
        (["run", str(suite), "--out", URL, "--offline"], 2, f"out: {URL} needs the network, which offline forbids"),
        (["run", str(suite), "--out", "ftp://host/runs"], 2, "ftp:// is not read"),
    ):
        assert main(arguments) == code, arguments
        said = capsys.readouterr().err.strip()
        assert line in said
        assert "\n" not in said
        assert SECRET not in said
        assert KEY not in said
    s3.fail(lambda request: "503")
    assert main(["report", URL]) == 3
    said = capsys.readouterr().err.strip()
    assert f"hrbench: {URL}/commits: cannot be listed" in said
    assert "tried 5 times" in said


def test_a_store_that_stays_away_costs_no_result(bench, s3, capsys, tmp_path: Path):
    suite = bench.suite(SUITE)
    remote = [part.replace(str(tmp_path / "run"), URL) for part in bench.arguments(suite, "--only", "one")]

    def no_objects(request: S3Request) -> str:
        return "503" if request.method == "PUT" and "/objects/" in request.path else ""

    s3.fail(no_objects)
    assert main(remote) == 3
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "tried 5 times" in told.err
    assert "the same command uploads them" in told.err
    s3.forget()
    assert main(remote) == 0
    assert "stored already" in capsys.readouterr().out
    assert [result.name for result in hrbench.load(URL)] == ["one"]


def test_a_run_that_was_overtaken_stops_in_one_line(bench, s3, capsys, monkeypatch, tmp_path: Path):
    """Another run takes the folder while the first entry is computed: that is not stored, and no other one is begun."""
    remote = [part.replace(str(tmp_path / "run"), URL) for part in bench.arguments(bench.suite(SUITE))]
    other = Machine(URL, tmp_path / "other machine", monkeypatch)
    other.late = timedelta(hours=1)
    commit = RunFolder.commit

    def overtaken(folder: RunFolder, *more: Any) -> Result:
        monkeypatch.setattr(RunFolder, "commit", commit)
        with other.running() as taken:
            store(taken, "three")
        return folder.commit(*more)

    monkeypatch.setattr(RunFolder, "commit", overtaken)
    assert main(remote) == 3
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert f"{URL} was taken over by another run (" in told.err
    assert "two" not in told.out
    assert [result.name for result in RunFolder(other.read()).results(every=True)] == ["three"]


SUITE = """
    suite: tiny
    defaults:
      dataset: coco-keypoints-val2017
      protocol: {boxes: ground_truth}
      weights: tiny.safetensors
      cost: {latency: false}
    entries:
      - name: one
        model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48]}
      - name: two
        model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [96, 72]}
"""
