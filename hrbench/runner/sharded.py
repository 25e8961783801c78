"""A network that predicts shards of its entry, one after the other, wherever it was loaded.

    network = ShardNetwork.load(request)        # once for each device: of `jobs.request`, with `prediction_key`
    path = network.predict(shard, folder, on_event)

Data, weights and code are found where it runs, and their digests must give the key that was asked for: a machine with
other files says so, and predicts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from hrbench.contracts import HasNotes, TalliesNotes, Task
from hrbench.core import environment
from hrbench.core.limit import limited
from hrbench.core.plugins import resolve
from hrbench.core.remote import mirror
from hrbench.errors import EntryError
from hrbench.models.runtimes.configured import in_force
from hrbench.runner import pipeline
from hrbench.runner.device import device_of
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.orientation import orientation_note
from hrbench.runner.prepare import Assembled, assemble
from hrbench.runner.prepared_network import PreparedNetwork, made_by, prepared_network
from hrbench.runner.settings import Settings
from hrbench.runner.shard_files import ShardRecord, write_shard
from hrbench.types import Entry, Event, Provenance, Remark, Sample, Shard

_ROUNDING = ("torch", "torchvision", "numpy", "opencv-python-headless", "pillow", "scipy", "timm", "transformers",
             "onnxruntime")  # fmt: skip
"""Packages whose version can change the last digits of what is predicted."""


@dataclass(slots=True)
class ShardNetwork:
    """An entry's network on one device, with all of the entry's images at hand.

    samples: of the entry, after its limit, in order.
    provenance: of what is predicted.
    conditions: what decides how sums are rounded: shards of one entry must have the same.
    """

    parts: Assembled
    settings: Settings
    network: PreparedNetwork
    samples: list[Sample]
    provenance: Provenance
    conditions: Mapping[str, Any]

    @classmethod
    def load(cls, request: Mapping[str, Any]) -> ShardNetwork:
        """The network of an entry, on the device that its settings name.

        request: of `jobs.request`, with `prediction_key`, and `digests` as `prepare.assemble` takes them: those that
            are left out are computed here.

        Raises HrbenchError if data or weights are missing here, or are others than the key says, and what loading the
        network raises.
        """
        entry = msgspec.convert(request["entry"], Entry)
        settings = Settings.of_plain(request["settings"])
        parts = assemble(entry, settings, build_own=True, digests=request.get("digests") or {})
        if parts.reasons:
            raise EntryError("; ".join(map(str, parts.reasons)))
        if parts.prediction_key != request["prediction_key"]:
            raise EntryError(
                "data, weights or code are not those that shards were asked for: they are read where the network runs "
                f"({settings.data}, {settings.weights})"
            )
        with in_force(entry.runtime):
            network = prepared_network(parts, settings)
            found = environment.environment()
            provenance = replace(made_by(parts, network.net), environment=found)
        samples = limited(list(parts.dataset.samples(entry.protocol)), entry.limit)
        return cls(parts, settings, network, samples, provenance, conditions_of(provenance.device, found))

    def predict(self, shard: Shard, folder: Path, on_event: EventHandler = lambda event: None) -> Path:
        """Predicts the images of a shard and writes its file, whole or not at all; returns the file's path.

        folder: gets the file, under the shard's name; it is created.
        on_event: called with the progress, in images of this shard.

        Raises HrbenchError if an image cannot be predicted or the file cannot be written.
        """
        entry, started = self.parts.entry, time.perf_counter()
        if not 0 <= shard.first < shard.last <= len(self.samples):
            raise EntryError(f"images {shard.first} to {shard.last} were asked for, of {len(self.samples):,} here")
        samples = self.samples[shard.first : shard.last]
        mirror.present(sample.path for sample in samples)
        orientation_note(samples)  # raises for pictures whose orientation nobody knows
        # its counts are of this shard alone
        task = resolve("hrbench.tasks", entry.variant.task)(entry.variant, self.parts.dataset, entry.protocol)
        notes: list[Remark] = []
        with in_force(entry.runtime):
            predictions = pipeline.predict(
                task,
                self.network.net,
                samples,
                batch=entry.batch,
                workers=self.settings.workers,
                device=device_of(self.settings),
                progress=lambda done, total: on_event(Event("progress", entry.name, "predict", "images", done, total)),
                note=notes.append,
            )

            def record() -> ShardRecord:
                return ShardRecord(
                    shard,
                    self.provenance,
                    self.conditions,
                    network_notes=(*self.network.notes, *notes),
                    task_notes=_uncounted(task),
                    runtime_notes=tuple(self.network.runtime_notes()),
                    tally=task.tally() if isinstance(task, TalliesNotes) else None,
                    seconds=time.perf_counter() - started,
                )

            path = folder / shard.file
            write_shard(path, shard, predictions, record)
        return path


def _uncounted(task: Task) -> tuple[Remark, ...]:
    """Notes of a task that does not say what it has counted for them."""
    return tuple(task.notes()) if isinstance(task, HasNotes) and not isinstance(task, TalliesNotes) else ()


def conditions_of(device: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What decides how sums are rounded, by name: device, threads, versions and numeric flags.

    device: on which the network is, as a result's provenance has it.
    found: of `core.environment.environment`, once the network is loaded.
    """
    versions = {name: version for name, version in found["packages"].items() if name in _ROUNDING}
    on_cpu = device == "cpu"
    flags = {
        name: value
        for name, value in found["torch"].items()
        if name != "GOMP_SPINCOUNT" and not (on_cpu and name.startswith("cud"))  # how threads wait; of a GPU
    }
    return {"device": found["processor"] if on_cpu else device, "hrbench": found["hrbench"], **versions, **flags}
