"""Releases as runs of MLflow: numbers as metrics, how they were measured as parameters, files as artifacts.

    hrbench history --export mlflow --tracking sqlite:///mlflow.db

An entry of a release is a run named RELEASE/ENTRY of the experiment "hrbench". One that is there with the same digest
is not sent again, so the same command sends what is new.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from hrbench.core import units
from hrbench.core.digests import sha256
from hrbench.errors import InputError, UsageError
from hrbench.judge.costs import cell_of
from hrbench.judge.history import History
from hrbench.report.words import plain_text
from hrbench.store.results import from_json
from hrbench.types import Measurement, Result

EXPERIMENT = "hrbench"
_LONGEST_PARAMETER = 500
_NO_KEY = re.compile(r"[^A-Za-z0-9_\-. /:]")


def export(history: History, tracking: str = "") -> str:
    """Sends every entry of every release; returns what was sent, in words.

    tracking: URI of a server or a database; "" for what MLflow is set to (MLFLOW_TRACKING_URI).

    Raises UsageError if MLflow is not installed, InputError for a server that does not take it.
    """
    try:
        import mlflow  # pyright: ignore[reportMissingImports]: an extra
        from mlflow.exceptions import MlflowException  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UsageError("--export mlflow needs MLflow: pip install 'hrbench[mlflow]'") from None
    try:
        client = mlflow.MlflowClient(tracking_uri=tracking or None)
        experiment = _experiment(client)
        sent = known = 0
        for release in history.releases:
            for path in sorted((release.path / "entries").glob("[!.]*/result.json")):
                digest = sha256(path)
                same = f"tags.`hrbench.release` = '{_quoted(release.name)}' and tags.`hrbench.digest` = '{digest}'"
                if client.search_runs([experiment], same, max_results=1):
                    known += 1
                    continue
                _send(client, experiment, release.name, release.date, from_json(path.read_bytes(), path), digest)
                sent += 1
    except MlflowException as error:
        raise InputError(f"MLflow does not take it: {' '.join(str(error).split())[:300]}") from None
    already = f", {known} were there" if known else ""
    return f"sent {units.amount(sent, 'run')} to {client.tracking_uri}{already}"


def _quoted(name: str) -> str:
    return name.replace("'", "_")


def _experiment(client: Any) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    return found.experiment_id if found is not None else client.create_experiment(EXPERIMENT)


def _send(client: Any, experiment: str, release: str, date: str, result: Result, digest: str) -> None:
    from mlflow.entities import Metric, Param, RunTag  # pyright: ignore[reportMissingImports]

    moment = int(datetime.fromisoformat(date).timestamp() * 1000) if date else 0
    tags = {"mlflow.runName": f"{release}/{result.name}", "hrbench.entry": result.name, "hrbench.status": result.status}
    run = client.create_run(experiment, start_time=moment, tags={**tags, "hrbench.release": _quoted(release)})
    metrics = [Metric(key, value, moment, 0) for key, value in _metrics(result).items()]
    params = [Param(key, value[:_LONGEST_PARAMETER]) for key, value in _parameters(result).items()]
    for start in range(0, max(len(metrics), len(params), 1), 100):  # 100 parameters and 1,000 metrics are taken at once
        client.log_batch(run.info.run_id, metrics[start : start + 100], params[start : start + 100])
    for name in ("result.json", *(name for name in result.files if "/" not in name and name.startswith("states"))):
        client.log_artifact(run.info.run_id, str(Path(result.folder) / name))
    # last, so that a run that was not sent whole is sent again
    client.log_batch(run.info.run_id, tags=[RunTag("hrbench.digest", digest)])
    failed = result.status == "failed"
    client.set_terminated(run.info.run_id, "FAILED" if failed else "FINISHED", end_time=moment)


def _metrics(result: Result) -> dict[str, float]:
    """Key -> value in the base unit; ends of intervals as KEY/low and KEY/high."""
    found: dict[str, float] = {}
    for one in (*result.scores, *result.costs):
        if one.value is None:
            continue
        key = _key(one)
        found[key] = float(one.value)
        if one.interval is not None:
            found[f"{key}/low"], found[f"{key}/high"] = one.interval
    return found


def _key(one: Measurement) -> str:
    """METRIC/NAME with the characters that MLflow takes: "mpii-pckh/pckh at 0.5/mean"."""
    cell = cell_of(one)
    parts = [one.metric, one.quantity.name, cell]
    return _NO_KEY.sub("_", "/".join(part for part in parts if part).replace("@", " at "))


def _parameters(result: Result) -> dict[str, str]:
    entry, provenance = result.entry, result.provenance
    weights, data = provenance.weights, provenance.dataset
    found: dict[str, Any] = {
        "network": entry.variant.name or entry.variant.use,
        "dtype": entry.dtype,
        "device": provenance.device,
        "weights": weights.sha256 if weights is not None else None,
        "data": data.name if data is not None else None,
        "data.sha256": data.sha256 if data is not None else None,
        "data.images": data.images if data is not None else None,
        **{f"protocol.{name}": value for name, value in entry.protocol.items()},
        **{f"metric.{name}.version": record.version for name, record in provenance.metrics.items()},
        **{f"metric.{name}.criteria": plain_text(record.criteria) for name, record in provenance.metrics.items()},
        "hrbench": provenance.environment.get("hrbench"),
    }
    return {_NO_KEY.sub("_", name): str(value) for name, value in found.items() if value not in (None, "")}
