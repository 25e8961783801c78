"""Releases sent to MLflow: to a local database and to a local server, once each, and read back by its own client."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from releases import write_release

from hrbench.errors import InputError
from hrbench.judge.history import History, history
from hrbench.report.tracking import EXPERIMENT, export

mlflow: Any = pytest.importorskip("mlflow", reason="MLflow is not installed: uv pip install 'mlflow>=3'")
pytestmark = [
    # its own tables and clients warn with newer releases of what they use
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> History:
    runs = tmp_path_factory.mktemp("tracked") / "runs"
    right = np.arange(100) % 4 > 0
    write_release(runs / "v1", right, "2026-01-01T00:00:00+00:00")
    write_release(runs / "it's v2", ~right, "2026-02-01T00:00:00+00:00")
    return history(runs, runs / "none")


@pytest.fixture(params=["database", "server"])
def tracking(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.chdir(tmp_path)  # where MLflow puts artifacts
    if request.param == "database":
        yield database
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["server", "--backend-store-uri", database, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with subprocess.Popen([sys.executable, "-m", "mlflow", *command], cwd=tmp_path, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True) as server:  # fmt: skip
        try:
            _wait(f"http://127.0.0.1:{port}/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            import os
            import signal

            os.killpg(server.pid, signal.SIGTERM)


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 600
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not start")


def test_every_entry_is_a_run_with_its_numbers_and_files(releases: History, tracking: str) -> None:
    assert export(releases, tracking) == f"sent 2 runs to {tracking}"
    client = mlflow.MlflowClient(tracking_uri=tracking)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    names = {release.name for release in releases.releases}
    assert set(runs) == {f"{name}/classes" for name in names}
    first = next(run for name, run in runs.items() if name.endswith("v1/classes"))
    assert first.data.metrics["topk/top1"] == 0.75
    assert first.data.metrics["topk/top1/low"] < 0.75 < first.data.metrics["topk/top1/high"]
    assert first.data.params["network"] and first.data.params["data.images"]
    assert first.info.status == "FINISHED"
    assert {file.path for file in client.list_artifacts(first.info.run_id)} == {"result.json", "states.npz"}
    assert export(releases, tracking) == f"sent 0 runs to {tracking}, 2 were there"


def test_what_mlflow_does_not_take_is_told_in_a_line(releases: History, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MLflow does not take it: ") as error:
        export(releases, "nonsense://host")
    assert "\n" not in str(error.value)
