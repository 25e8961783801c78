"""The functions that run in a separate process. They take and return JSON values, which can be sent to a process.

Each takes `emit`, which passes on events as dictionaries, and the values of a `request`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from hrbench.core import environment
from hrbench.core.limit import limited
from hrbench.runner.check_network import check_network
from hrbench.runner.costs import measure_cell
from hrbench.runner.device import device_of, runtime
from hrbench.runner.evaluate import EventHandler, evaluate, verify_stored
from hrbench.runner.orientation import orientation_note
from hrbench.runner.pictures import render_judged
from hrbench.runner.plan import Plan, plan_entry
from hrbench.runner.prepare import verify_weights_fit
from hrbench.runner.settings import Settings
from hrbench.runner.shard_progress import ShardProgress
from hrbench.runner.sharded import ShardNetwork
from hrbench.runner.side_by_side import Group, render_groups
from hrbench.store.results import from_json, to_json
from hrbench.types import Entry, Event, Measurement, Remark, Result, Shard

Emit = Callable[[Mapping[str, Any]], object]


def request(entry: Entry, settings: Settings, **more: Any) -> dict[str, Any]:
    """The JSON values that the functions below take."""
    return {"entry": msgspec.to_builtins(entry), "settings": settings.plain(), **more}


def accuracy(emit: Emit, **request: Any) -> dict[str, Any]:
    """Predicts or scores an entry, as its plan says. Its files go to the folder `request["folder"]`.

    request: of `request`, with `folder`, `stored` (a result as JSON text, with its `folder`, or None), `digests` (as
    `prepare.assemble` takes them), and `shards`: paths of the files that hold its predictions, [] to run the network.
    Returns {"result": a result as JSON text} or {"reuse": true} if what is stored still counts.
    """
    entry, settings = _entry(request), Settings.of_plain(request["settings"])
    plan = plan_entry(
        entry, settings, _stored(request["stored"]), build_own=not settings.rescore, digests=request["digests"]
    )
    if plan.error is not None:
        raise plan.error
    if plan.accuracy == "reuse":
        return {"reuse": True}
    shards = [Path(path) for path in request["shards"]]
    result = _evaluated(plan, settings, Path(request["folder"]), _events(emit), shards)
    return {"result": to_json(result).decode()}


def _evaluated(plan: Plan, settings: Settings, folder: Path, on_event: EventHandler, shards: Sequence[Path]) -> Result:
    assert plan.parts is not None
    stored = plan.stored if plan.accuracy == "score" and _same_predictions(plan) else None
    result = evaluate(plan.parts, settings, folder, on_event, stored, shards)
    if settings.in_process:
        result = replace(result, provenance=replace(result.provenance, in_process=True))
    return result


def _same_predictions(plan: Plan) -> bool:
    """Whether the predictions to be scored are the stored ones, not those of a file that the entry names."""
    assert plan.parts is not None
    return plan.stored is not None and plan.stored.prediction_key == plan.parts.prediction_key


def sharding(emit: Emit, **request: Any) -> dict[str, Any]:
    """What has to be known before an entry is cut into shards; reads its ground truth, so that a fault in it is told.

    request: of `request`, with `stored` and `digests` as for `accuracy`.
    Returns {"images": how many the entry has, "prediction_key": their key}; the key is None if nothing is to be
    predicted.
    """
    entry, settings = _entry(request), Settings.of_plain(request["settings"])
    plan = plan_entry(entry, settings, _stored(request["stored"]), build_own=True, digests=request["digests"])
    if plan.error is not None:
        raise plan.error
    parts = plan.parts
    if plan.accuracy != "predict" or parts is None:
        return {"images": 0, "prediction_key": None}
    for metric in parts.metrics if not parts.server else ():
        metric.read_target(parts.dataset.target)
    samples = limited(list(parts.dataset.samples(entry.protocol)), entry.limit)
    orientation_note(samples)  # raises for pictures whose orientation nobody knows
    return {"images": len(samples), "prediction_key": parts.prediction_key}


def shards(emit: Emit, **request: Any) -> dict[str, Any]:
    """Predicts shards of an entry, one after the other, each to a file as soon as it is done.

    request: as `ShardNetwork.load` takes it, with `shards` (JSON values of `Shard`) and `folder`.
    Returns {"files": their names}.
    """
    wanted = msgspec.convert(request["shards"], list[Shard])
    progress = ShardProgress(wanted, _events(emit))
    network = ShardNetwork.load(request)
    return {"files": [network.predict(one, Path(request["folder"]), progress.of(one)).name for one in wanted]}


def fits(emit: Emit, **request: Any) -> dict[str, Any]:
    """Checks that the weights of an entry fit its network. Returns {"weights": record, "notes": ...}."""
    entry, settings = _entry(request), Settings.of_plain(request["settings"])
    plan = plan_entry(entry, settings, None, build_own=True, digests=request["digests"])
    if plan.error is not None:
        raise plan.error
    assert plan.parts is not None
    record, notes = verify_weights_fit(plan.parts, _stored(request["stored"]))
    return {"weights": msgspec.to_builtins(record), "notes": msgspec.to_builtins(notes)}


def verify(emit: Emit, **request: Any) -> dict[str, Any]:
    """Compares a stored result with the reference implementations. Returns {"notes": all its notes}."""
    entry, settings = _entry(request), Settings.of_plain(request["settings"])
    plan = plan_entry(entry, settings, None, digests=request["digests"])
    stored = _stored(request["stored"])
    if plan.error is not None:
        raise plan.error
    assert plan.parts is not None and stored is not None
    return {"notes": msgspec.to_builtins(verify_stored(plan.parts, stored).notes)}


def notes_of(returned: Mapping[str, Any]) -> tuple[Remark, ...]:
    """The notes of what a job returned."""
    return msgspec.convert(returned["notes"], tuple[Remark, ...])


def looks(emit: Emit, **request: Any) -> dict[str, Any]:
    """Looks whether the network of an entry would run and fit its data and weights, as `check_network` does.

    request: of `request`, with `values`, whether an image may pass on the CPU.
    Returns {"notes": sentences}; raises what is wrong.
    """
    entry, settings = _entry(request), Settings.of_plain(request["settings"])
    return {"notes": check_network(entry, settings, request["values"])}


def foresee(emit: Emit, **request: Any) -> dict[str, Any]:
    """Whether this machine can run networks as an entry's runtime, in each dtype of `request["dtypes"]`.

    Returns {"unavailable": dtype -> why not, "" if it can}; raises UsageError for a setting that is wrong everywhere.
    """
    entry, settings = _entry(request), Settings.of_plain(request["settings"])
    made, kind = runtime(entry.runtime), device_of(settings).partition(":")[0]
    is_detector = entry.variant.task == "detection"
    return {"unavailable": {dtype: made.unavailable(kind, dtype, is_detector) for dtype in request["dtypes"]}}


def cost(emit: Emit, **request: Any) -> dict[str, Any]:
    """Measures one cell of an entry's costs, `request["cell"]`. Returns {"costs": measurements, "environment": ...}."""
    entry, settings = _entry(request), Settings.of_plain(request["settings"])
    costs = measure_cell(entry, request["cell"], settings, _events(emit))
    return {"costs": msgspec.to_builtins(costs), "environment": environment.environment()}


def pictures(emit: Emit, **request: Any) -> dict[str, Any]:
    """Renders images of an entry that were judged, as `pictures.render_judged` does.

    request: of `request`, with its `metric`, `images`, `digest`, `sides` and `folder`.
    Returns {"pictures": image id as text -> kind -> name of a file}.
    """
    entry, settings = _entry(request), Settings.of_plain(request["settings"])
    wanted = {name: request[name] for name in ("metric", "images", "digest", "sides")}
    folder = Path(request["folder"])
    return {"pictures": render_judged(entry, settings, **wanted, folder=folder, on_event=_events(emit))}


def side_by_side(emit: Emit, **request: Any) -> dict[str, Any]:
    """Renders the same images for several networks, as `side_by_side.render_groups` does.

    request: of `request`, with `groups` (JSON values of `Group`) and `folder`.
    Returns {"groups": JSON values of `SideBySide`}.
    """
    groups = msgspec.convert(request["groups"], list[Group])
    settings = Settings.of_plain(request["settings"])
    return {"groups": msgspec.to_builtins(render_groups(groups, settings, Path(request["folder"]), _events(emit)))}


def costs_of(returned: Mapping[str, Any]) -> tuple[Measurement, ...]:
    """The measurements in what `cost` returned."""
    return msgspec.convert(returned["costs"], tuple[Measurement, ...])


def _events(emit: Emit) -> EventHandler:
    def on_event(event: Event) -> None:
        emit(msgspec.to_builtins(event))

    return on_event


def _entry(request: Mapping[str, Any]) -> Entry:
    return msgspec.convert(request["entry"], Entry)


def _stored(content: Mapping[str, str] | None) -> Result | None:
    if content is None:
        return None
    return from_json(content["json"].encode(), Path(content["folder"]) / "result.json")


def stored_json(stored: Result | None) -> dict[str, str] | None:
    """A stored result as JSON values for a request."""
    return None if stored is None else {"json": to_json(stored).decode(), "folder": stored.folder}
