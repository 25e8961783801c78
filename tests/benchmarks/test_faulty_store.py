"""A run folder in a store where two of five answers fail: what is stored in the end, and what it takes."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest
from local_s3 import local_s3
from store_machine import Machine, run_two
from stored_results import contents

from hrbench.core.remote import RetryPolicy
from hrbench.errors import StorageError
from hrbench.store.run_folder import RunFolder

TRIALS = 20
SHARE = 0.4
FAULTS = ("500", "503", "429", "cut", "lost", "half", "slow:0.02")


def test_every_run_ends_with_what_the_disk_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    local = RunFolder(tmp_path / "local")
    with local.locked():
        run_two(local)
    requests = faults = told = 0
    with local_s3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        s3.fill("trials")
        for trial in range(TRIALS):
            drawn = random.Random(trial)
            machines = [Machine(f"s3://trials/{trial}/pose", tmp_path / f"{trial}{name}", monkeypatch) for name in "ab"]
            for machine in machines:
                machine.remote = machine.remote.open(machine.url, RetryPolicy(sleep=lambda seconds: None))
            s3.fail(lambda request, drawn=drawn: drawn.choice(FAULTS) if drawn.random() < SHARE else "")
            for attempt in range(20):
                machine = machines[attempt % 2]
                machine.late = attempt * timedelta(minutes=4)  # so that no lease of the attempt before holds it up
                try:
                    with machine.running() as folder:
                        run_two(folder)
                except StorageError as error:
                    assert "\n" not in str(error)
                    told += 1
                else:
                    break
            requests, faults = requests + len(s3.requests), faults + sum(bool(one.fault) for one in s3.requests)
            s3.forget()
            assert contents(machines[1].read()) == contents(local.path)
            s3.forget()
    print(f"\n{TRIALS} runs: {requests} requests, {faults} faults, {told} times told after the last try")
