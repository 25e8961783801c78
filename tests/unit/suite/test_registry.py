"""What an installation knows, and how a task that is not in order is told."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, fields
from types import SimpleNamespace

import pytest

from hrbench.errors import EntryError
from hrbench.suite import registry as module
from hrbench.suite.registry import Protocols, known


def test_everything_that_ships_is_known():
    found = known()
    assert "pose_hrnet_w32_coco_256x192" in found.variants
    assert "mpii-val" in found.datasets
    assert {"coco-keypoints", "mpii-pckh"} <= set(found.metrics)
    assert found.exists("hrbench.models", "pose_hrnet")
    assert "joints" in (found.arguments("hrbench.models", "pose_hrnet", []) or ())


def test_protocol_of_pose_is_whole():
    protocols = known().protocols
    assert "pose" in protocols and len(protocols) == len(list(protocols))
    settings = {field.name: field.default for field in fields(protocols["pose"])}
    assert settings["name"] == "top-down" and settings["boxes"] == "detector"
    assert protocols.get("cooking") is None


@dataclass(frozen=True)
class Nameless:
    flip: bool = True


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (SimpleNamespace(), "names no protocol"),
        (SimpleNamespace(Protocol=int), "names no protocol"),
        (SimpleNamespace(Protocol=Nameless), "lacks the field name and version"),
    ],
)
def test_task_without_protocol(monkeypatch: pytest.MonkeyPatch, task: object, message: str):
    monkeypatch.setattr(module.plugins, "names", lambda group: ("cooking",))
    monkeypatch.setattr(module.plugins, "resolve", lambda group, name: task)
    with pytest.raises(EntryError, match=message):
        Protocols()["cooking"]


def test_no_torch_and_no_task_before_it_is_asked_for():
    code = (
        "import sys; from hrbench.suite.registry import known; k = known(); list(k.protocols)\n"
        "print([m for m in ('torch', 'cv2', 'hrbench.tasks.pose.task') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
