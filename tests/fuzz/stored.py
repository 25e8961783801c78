"""What hrbench wrote itself. Digests hold it, so that what is read is what was written."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np

from hrbench.core.digests import canonical
from hrbench.judge import baseline
from hrbench.runner.shard_files import ShardRecord, read_predictions, read_record, write_shard
from hrbench.runner.shards import shard_of
from hrbench.store.analyses import fault_of, read_analyses, write_analyses
from hrbench.store.elsewhere.records import Commit, FolderRecord, Holder, StoredFile, decode, encode, moment
from hrbench.store.results import to_json
from hrbench.store.run_folder import RunFolder
from hrbench.store.side_by_side import (
    NetworkPicture,
    SharedImage,
    SideBySide,
    read_side_by_side,
    side_by_side_key,
    write_side_by_side,
)
from hrbench.store.states import read_state
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisTable, Prediction, Result
from tests.fuzz import damage
from tests.fuzz.case import Case, NonsenseError, as_json, unchanged

DATA = Path(__file__).parents[1] / "data"
ENTRY = "pose_hrnet_miniature_coco"


def _old(folder: Path) -> None:
    shutil.copytree(DATA / "format1", folder, dirs_exist_ok=True)
    for other in (folder / "entries").iterdir():
        if other.name != ENTRY:
            shutil.rmtree(other)


def _new(folder: Path) -> None:
    """A run folder of today's format."""
    _old(folder)
    run = RunFolder(folder)
    (result,) = run.results()
    part = run.begin(ENTRY)
    for path in (folder / "entries" / ENTRY).iterdir():
        if path.name != "result.json":
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, part / path.name)
    run.commit(part, result)
    shutil.rmtree(folder / "superseded")
    run.write_environment({"python": "3.12", "packages": {"torch": "2.9"}, "devices": ["cpu"]})


def _saved(folder: Path) -> None:
    _new(folder / "run")
    baseline.save(folder / "run", "v1", folder / "baselines")
    shutil.rmtree(folder / "run")


def _read(folder: Path) -> dict[str, Any]:
    """A run by every reader of its files, also by the lenient one, which goes on without a damaged result."""
    run = RunFolder(folder)
    told: list[str] = []
    run.results(skip=told.append)
    record = run.read_run()
    run.read_environment()
    results = [result for name in record.entries if (result := run.read(name)) is not None]
    states = [read_state(folder / "entries" / result.name / "states.npz") for result in results]
    return {
        "results": [_content(result) for result in results],
        "states": [
            (state.metric, state.version, {name: array.tobytes() for name, array in state.arrays.items()})
            for state in states
        ],
    }


def _content(result: Result) -> str:
    """What a result says, whatever the order of its fields in the file."""
    return canonical(json.loads(to_json(result))["result"])


def _read_baseline(folder: Path) -> dict[str, Any]:
    found = baseline.read("v1", folder / "baselines")
    return {"names": baseline.names(folder / "baselines"), "entries": found.entries, **_read_results(folder)}


def _read_results(folder: Path) -> dict[str, Any]:
    run = RunFolder(folder / "baselines/v1")
    return {"results": [_content(result) for result in run.results()]}


def _held(before: Any, after: Any) -> str:
    """Results and states that are read are those that were written; other entries may be named."""
    if not after["results"]:
        return ""
    return unchanged(before["results"], after["results"]) or (
        unchanged(before["states"], after["states"]) if "states" in before else ""
    )


def _state(folder: Path) -> dict[str, Any]:
    state = read_state(folder / "states.npz")
    return {"metric": state.metric, "arrays": {name: array.shape for name, array in state.arrays.items()}}


def _alone(folder: Path) -> None:
    shutil.copyfile(DATA / "format1/entries" / ENTRY / "states.npz", folder / "states.npz")


def _analysed(folder: Path) -> None:
    counts = np.array([[5, 0, 2], [1, 7, 0]], np.int64)
    said = "Errors", "How they are counted.", "a paper"
    table = AnalysisTable(
        "errors", *said, ("a", "b"), ("n", "cost"), ("count", "fraction"), np.array([[3.0, 0.25], [0.0, np.nan]]),
        {(1, 1): "there is none"}, 1,
    )  # fmt: skip
    curves = AnalysisCurves("curve", *said, "recall", "precision", ("a",), np.linspace(0, 1, 5), np.ones((1, 5)))
    matrix = AnalysisMatrix("matrix", *said, "ground truth", "prediction", ("a", "b"), ("a", "b", "none"), counts)
    write_analyses([Analysis("coco-boxes", 1, {"score": 0.5}, (table, curves, matrix))], folder / "analysis.npz")


def _analyses(folder: Path) -> dict[str, Any]:
    found = read_analyses(folder / "analysis.npz")
    for one in found:
        if fault := fault_of(one):
            raise NonsenseError(fault)
    return {"metrics": [one.metric for one in found], "sections": [len(one.sections) for one in found]}


def _shared(folder: Path) -> None:
    networks = tuple(NetworkPicture(name, 0.25 * at, f"0/0-{at}.webp") for at, name in enumerate("ab"))
    image = SharedImage(7, "disagreed", ("cat", "dog"), "0/0-truth.webp", networks)
    group = SideBySide("coco", "coco-boxes", "AP within the image", {"a": "k", "b": "l"}, (image,), networks=2)
    (folder / "pictures").mkdir()
    write_side_by_side(folder / "pictures", "key", [group])


def _shown(folder: Path) -> dict[str, Any]:
    """What a page would show; a damaged index shows nothing and is no error."""
    key, groups = side_by_side_key(folder), read_side_by_side(folder)
    for one in (one for group in groups for image in group.images for one in image.networks):
        if not 0 <= one.quality <= 1:
            raise NonsenseError(f"a quality of {one.quality}")
    return {"key": key, "groups": len(groups)}


def _read_old(folder: Path) -> dict[str, Any]:
    """Results of format 1, which have no digests."""
    run = RunFolder(folder)
    results = run.results()
    for result in results:
        for score in (*result.scores, *result.costs):
            assert score.value is None or isinstance(score.value, (int, float))
    return {"results": [json.loads(msgspec.json.encode(len(result.scores))) for result in results]}


def _elsewhere(folder: Path) -> None:
    """A commit of a run folder in an object store, and the list of an entry's files."""
    at = StoredFile("ab" * 32, 7)
    files = FolderRecord({"result.json": at, "drawings/worst-1.webp": at})
    commit = Commit(
        3, Holder("t", "node, process 1", "m", "2026-11-30T20:00:00+00:00"), True, "2026-11-30T20:00:01+00:00"
    )
    commit = msgspec.structs.replace(
        commit, files={"run.json": at}, folders={"entries/one": at}, unnamed={"cd" * 32: ""}
    )
    (folder / "commit.json").write_bytes(encode(commit))
    (folder / "files.json").write_bytes(encode(files))


def _signed(data: bytes, random: Random) -> bytes:
    """Another record, mostly with the digest of its bytes, so that more than that is looked at."""
    body, _, digest = data.removesuffix(b"\n").rpartition(b"\n")
    body = as_json(body, random)
    if random.random() < 0.8:
        digest = hashlib.sha256(body + b"\n").hexdigest().encode()
    return body + b"\n" + digest + b"\n"


def _read_elsewhere(folder: Path) -> dict[str, Any]:
    """Both records; whatever they name must lie below the folder that they are fetched into."""
    commit = decode((folder / "commit.json").read_bytes(), Commit, "commit")
    record = decode((folder / "files.json").read_bytes(), FolderRecord, "files")
    for name, at in (*commit.files.items(), *commit.folders.items(), *record.files.items()):
        place = folder / name
        if not place.resolve().is_relative_to(folder.resolve()) or not at.object.startswith("objects/"):
            raise NonsenseError(f"{name!r} is not below the folder")
    moment(commit.written)
    return {"folders": [*commit.folders], "files": [*record.files]}


def _cut(folder: Path) -> None:
    """A shard's file, of rows and of a class map."""
    shard = shard_of(0, 2, 1, "key")
    rows = [{"image_id": 0, "score": 0.5, "keypoints": [1.0, 2.0, 0.25]}]
    values = [Prediction(0, rows), Prediction("b", np.arange(6, dtype=np.uint8).reshape(2, 3))]
    write_shard(folder / "0-2.shard", shard, values, lambda: ShardRecord(shard, tally={"first": np.ones(2)}))


def _read_cut(folder: Path) -> str:
    record = read_record(folder / "0-2.shard")
    return repr((record, [(one.sample, one.value) for one in read_predictions(folder / "0-2.shard")]))


CASES = [
    Case("run folder elsewhere", _elsewhere, {"*.json": _signed}, _read_elsewhere),
    Case("run folder", _new,
         {"run.json": as_json, "environment.json": as_json, "entries/*/result.json": as_json,
          "entries/*/states.npz": damage.zip_mutant},
         _read, _held, share=3),
    Case("run folder of format 1", _old, {"entries/*/result.json": as_json, "run.json": as_json}, _read_old),
    Case("baseline", _saved,
         {"baselines/v1/baseline.json": as_json, "baselines/v1/entries/*/result.json": as_json,
          "baselines/v1/run.json": as_json},
         _read_baseline, _held),
    Case("error analyses", _analysed, {"analysis.npz": damage.zip_mutant}, _analyses, share=2),
    Case("shards", _cut, {"0-2.shard": damage.mutant}, _read_cut, unchanged),
    Case("pictures side by side", _shared, {"pictures/index.json": as_json}, _shown),
    Case("states", _alone, {"states.npz": damage.zip_mutant}, _state, share=2),
]  # fmt: skip
