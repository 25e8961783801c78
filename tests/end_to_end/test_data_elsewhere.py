"""Data and weights in an object store: the same results as from this disk, whatever the store does meanwhile."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_s3 import KEY, SECRET, LocalS3, local_s3
from tiny_bench import Bench

import hrbench
import hrbench.core.remote.file_system as file_system
from hrbench.cli.command_line import main
from hrbench.core.remote import RetryPolicy, mirror
from hrbench.runner.settings import Settings

SLOW = "slow:0.05"
SUITE = """
suite: elsewhere
defaults: {cost: {latency: false, operations: false, parameters: false}}
entries:
  - name: tiny
    model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48],
            weights: {official: tiny.safetensors}}
    dataset: coco-keypoints-val2017
    protocol: {boxes: ground_truth}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LocalS3]:
    with local_s3() as running:
        yield running


@pytest.fixture
def s3(server: LocalS3, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalS3:
    """The data of the bench in a store, under the bucket `bucket`, and its weights; no try waits long."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (tmp_path / "tiny.safetensors").rename(weights / "tiny.safetensors")
    server.forget()
    server.fill("bucket", bench.data, f"{tmp_path.name}/data")
    server.fill("bucket", weights, f"{tmp_path.name}/weights")
    server.forget()
    monkeypatch.delenv("HRBENCH_CACHE_SIZE", raising=False)
    for name, value in {**server.environment, "HRBENCH_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(mirror, "_MIRRORS", {})
    monkeypatch.setattr(mirror, "_USERS", {})
    monkeypatch.setattr(file_system, "RetryPolicy", lambda: RetryPolicy(sleep=lambda seconds: None))
    return server


def arguments(bench: Bench, suite: Path, *more: str, out: str = "elsewhere") -> list[str]:
    """Of `hrbench run` with data and weights in the store."""
    given = bench.arguments(suite, *more, out=out, apart=True)
    for option in ("--data", "--weights"):
        given[given.index(option) + 1] = f"s3://bucket/{bench.folder.name}/{option[2:]}"
    return given


def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if another process began."""
    monkeypatch.setattr(mirror, "_MIRRORS", {})


def images(s3: LocalS3) -> Counter[str]:
    """Name of an image -> how often it arrived."""
    asked = (request for request in s3.requests if request.method == "GET" and request.path.endswith(".png"))
    return Counter(request.path.rpartition("/")[2] for request in asked if request.fault in ("", SLOW))


def test_a_run_on_a_store_with_faults_equals_one_on_this_disk(
    s3: LocalS3, bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    suite = bench.suite(SUITE)
    assert main(bench.arguments(suite, "--limit", "4", out="here")) == 0
    met: Counter[str] = Counter()
    faults = {0: "500", 1: "cut", 2: "half", 3: SLOW}

    def fails(request) -> str:
        """Each file meets a fault at its first request, each another, and listings a 503."""
        met[request.path + request.query] += 1
        first = met[request.path + request.query] == 1
        return "" if not first else "503" if "list-type" in request.query else faults[len(met) % 4]

    s3.fail(fails)
    assert main(arguments(bench, suite, "--limit", "4")) == 0
    said = capsys.readouterr().out
    assert "tiny: fetch: " in said
    here, elsewhere = (hrbench.load(bench.folder / name)[0] for name in ("here", "elsewhere"))
    assert elsewhere.scores == here.scores
    assert (elsewhere.prediction_key, elsewhere.score_key) == (here.prediction_key, here.score_key)
    assert elsewhere.provenance.dataset == here.provenance.dataset
    assert elsewhere.provenance.weights == here.provenance.weights
    assert elsewhere.files == here.files
    assert elsewhere.notes == here.notes
    assert len(images(s3)) == 4
    assert {request.fault for request in s3.requests} >= {"", "503", "500", "half"}
    stored = [
        path for path in bench.folder.rglob("*") if path.is_file() and path.is_relative_to(bench.folder / "elsewhere")
    ]
    for text in [said, *(path.read_bytes().decode("latin-1") for path in stored)]:
        assert SECRET not in text
        assert KEY not in text
        assert str(bench.folder / "cache") not in text

    s3.forget()
    anew(monkeypatch)
    assert main(arguments(bench, suite, "--limit", "4")) == 0  # all is stored, and all files are here
    assert "tiny: stored already" in capsys.readouterr().out
    assert [request for request in s3.requests if request.method == "GET" and "list-type" not in request.query] == []


def test_what_is_missing_in_a_store_is_told_by_its_address(
    s3: LocalS3, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    data = f"s3://bucket/{tmp_path.name}/data"
    assert (
        main(["check", str(bench.suite(SUITE)), "--data", data, "--weights", f"s3://bucket/{tmp_path.name}/none"]) == 0
    )
    said = " ".join(capsys.readouterr().out.split())
    assert f"s3://bucket/{tmp_path.name}/none/tiny.safetensors is not there" in said
    assert main(["datasets", "mpii-val", "--check", "--data", data, "--plain"]) == 3
    assert f"{data}/mpii/" in capsys.readouterr().out
    assert str(tmp_path / "cache") not in said
    assert images(s3) == Counter()


def test_checking_a_data_set_in_a_store(s3: LocalS3, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    boxes = bench.data / "coco/person_detection_results"
    boxes.mkdir()
    name = "COCO_val2017_detections_AP_H_56_person.json"
    (boxes / name).write_text('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9}]')
    s3.fill("bucket", boxes, f"{tmp_path.name}/data/coco/person_detection_results")
    said = []
    for data in (str(bench.data), f"s3://bucket/{tmp_path.name}/data"):
        assert main(["datasets", "coco-keypoints-val2017", "--check", "--data", data, "--plain"]) == 0
        lines = capsys.readouterr().out.splitlines()
        said.append([line for line in lines if "decode: " not in line and "fetch: " not in line])
    assert said[0] == said[1]
    assert any(": digest: " in line for line in said[1])
    assert len(images(s3)) == 8


def test_a_store_that_stays_broken_ends_in_one_line(s3: LocalS3, bench: Bench, capsys: pytest.CaptureFixture[str]):
    s3.fail(lambda request: "503" if request.path.endswith(".png") and request.method == "GET" else "")
    assert main(arguments(bench, bench.suite(SUITE), "--in-process", "--limit", "4")) == 3
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "FAILED" in line and "val2017" in line]
    assert "s3://bucket/" in line
    assert "; tried 5 times in " in line
    asked = Counter(request.path for request in s3.requests if request.path.endswith(".png"))
    assert max(asked.values()) == 5


@pytest.mark.parametrize(
    "place", [f"s3://{KEY}:{SECRET}@bucket/data", f"az://box/data?sig={SECRET}", "ftp://host/data"]
)
def test_addresses_that_are_refused_show_no_secret(place: str, bench: Bench, capsys: pytest.CaptureFixture[str]):
    for option in ("--data", "--weights"):
        given = bench.arguments(bench.suite(SUITE), "--in-process")
        given[given.index(option) + 1] = place
        assert main(given) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert SECRET not in said.out + said.err
        assert KEY not in said.out + said.err


def test_scores_of_files_in_a_store(s3: LocalS3, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = json.loads(bench.annotations.read_text())["annotations"]
    found = [{key: row[key] for key in ("image_id", "category_id", "keypoints")} | {"score": 1.0} for row in rows]
    (tmp_path / "results").mkdir()
    (tmp_path / "results/found.json").write_text(json.dumps(found))
    s3.fill("bucket", tmp_path / "results", f"{tmp_path.name}/results")
    store = f"s3://bucket/{tmp_path.name}"
    said = []
    for truth, predictions in (
        (str(bench.annotations), str(tmp_path / "results/found.json")),
        (f"{store}/data/coco/annotations/{bench.annotations.name}", f"{store}/results/found.json"),
    ):
        assert main(["score", "coco-keypoints", "--gt", truth, "--pred", predictions, "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    with pytest.raises(
        hrbench.errors.MissingError, match=r"^s3://bucket/.*/none.json: there is no such file or folder$"
    ):
        hrbench.score("coco-keypoints", ground_truth=bench.annotations, predictions=f"{store}/results/none.json")


def test_a_cache_that_is_too_small_says_so(s3: LocalS3, bench: Bench, capsys: pytest.CaptureFixture[str]):
    given = arguments(bench, bench.suite(SUITE), "--in-process", "--cache-size", "10KB")
    assert main(given) == 3
    assert "set a larger --cache-size or HRBENCH_CACHE_SIZE" in capsys.readouterr().out
    assert "HRBENCH_CACHE_SIZE" not in os.environ
    assert main([*given[:-1], "much"]) == 2
    assert "'much' is no size" in capsys.readouterr().err


def test_offline_uses_no_store(s3: LocalS3, bench: Bench, capsys: pytest.CaptureFixture[str]):
    assert main(arguments(bench, bench.suite(SUITE), "--in-process", "--offline")) == 2
    address = f"s3://bucket/{bench.folder.name}/data"
    told = f"hrbench: data: {address} needs the network, which offline forbids; name a folder of this disk\n"
    assert capsys.readouterr().err == told
    assert s3.requests == []


def test_settings_for_another_process_hold_the_address(s3: LocalS3, bench: Bench):
    url = f"s3://bucket/{bench.folder.name}/data"
    settings = Settings(data=mirror.local_folder(url), weights=Path("weights"))
    plain = settings.plain()
    assert plain["data"] == url
    assert Settings.of_plain(json.loads(json.dumps(plain))) == settings
