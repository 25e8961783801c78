from __future__ import annotations

import json

import pytest

from hrbench.core.environment import processor, torch_flags
from hrbench.cost.forward import device_name


def test_the_model_name_of_a_cpu(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel\t\t: 6\nmodel name\t: Example CPU 9000 @ 2 GHz\nmodel name\t: Other\n")
    assert processor(path) == "Example CPU 9000 @ 2 GHz"


@pytest.mark.parametrize("text", ["", "model name\t: \n", "Processor : ARMv8\n"])
def test_a_system_without_a_model_name_still_gives_one(tmp_path, text):
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert processor(path).strip()


def test_another_device_goes_by_its_own_name():
    assert device_name("meta") == "meta"
    assert device_name("cpu") == processor()


def test_flags_are_plain_and_follow_torch():
    import torch

    flags = torch_flags()
    assert json.loads(json.dumps(flags)) == flags
    before = torch.backends.cudnn.benchmark
    try:
        torch.backends.cudnn.benchmark = not before
        assert torch_flags()["cudnn_benchmark"] is (not before)
    finally:
        torch.backends.cudnn.benchmark = before
