"""Results of a name that are stored in a run folder, without running anything."""

from __future__ import annotations

from pathlib import Path

from hrbench.store.run_folder import RunFolder
from hrbench.types import DatasetRow, Entry, Measurement, Quantity, Result, Suite, Variant

AP = Quantity("AP", "AP", "fraction", "higher", "mean over thresholds")


def made(name: str, value: float = 0.5, key: str = "k") -> Result:
    entry = Entry(
        name=name,
        variant=Variant(name="net", use="m:net", task="pose", input=(64, 48)),
        dataset=DatasetRow(name="set", use="coco-keypoints", task="pose", metrics=("coco-keypoints",)),
        protocol={"name": "top-down", "version": 1},
        metrics=("coco-keypoints",),
        cost={},
    )
    scores = (Measurement(AP, value, "coco-keypoints", n=7),)
    return Result(name, entry, "done", scores=scores, prediction_key=key * 64)


def store(folder: RunFolder, name: str, value: float = 0.5, key: str = "k", predictions: bytes = b"rows") -> Result:
    """Commits an entry with a file of predictions and one of a state."""
    begun = folder.begin(name)
    (begun / "predictions.json").write_bytes(predictions)
    (begun / "states.npz").write_bytes(f"state of {name} {value}".encode())
    return folder.commit(begun, made(name, value, key))


def suite_of(*names: str) -> Suite:
    return Suite("s", "", tuple(made(name).entry for name in names), text="suite: s\n", names=names)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a run folder that are stored, by path below it; without hidden ones."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if "/." not in f"/{name}"}
