"""An entry that is predicted in shards gives what it gives as a whole, bit for bit, whatever becomes of the shards."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_bench import NETWORK as TINY
from tiny_bench import Bench, draw_coco

import hrbench
from hrbench.cli.command_line import main
from hrbench.models.weights.load import save
from hrbench.runner import execution
from hrbench.runner.executors.in_process import InProcessExecutor
from hrbench.runner.shard_progress import ShardProgress
from hrbench.runner.sharded import ShardNetwork
from hrbench.types import Event, Result, Shard

IMAGES, PEOPLE = 60, 96

NETWORK = '''
"""A network whose outputs depend on how many crops share its batch: it shows any batch that is not as it should be."""
import os
import signal
from pathlib import Path

from tiny_nets import Tiny

HERE = Path(__file__).parent


class Aware(Tiny):
    """Writes down the size of each batch, and kills its process after 30 of them if there is a file `die`."""

    def forward(self, x):
        if x.device.type == "cpu":
            with (HERE / "batches").open("a") as file:
                file.write(f"{len(x)}\\n")
            if (HERE / "die").exists() and len((HERE / "batches").read_text().split()) > 30:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.net(x) * (1 + 0.1 * len(x))


def pose(joints=17):
    return Aware(joints)
'''

SUITE = """
    suite: tiny
    defaults:
      dataset: coco-keypoints-val2017
      protocol: {boxes: ground_truth, flip: false}
      weights: tiny.safetensors
      batch: 2
      resamples: 50
      cost: {parameters: false, operations: false, latency: false}
    entries:
      - name: one
        model: {base: pose_hrnet_w32_coco_256x192, use: "aware_nets:pose", args: {joints: 17}, input: [64, 48]}
"""


class Shuffling(InProcessExecutor):
    """Predicts shards in no order, and some of them twice (contracts.PredictsShards)."""

    def usual_shards(self, request: Mapping[str, Any]) -> int:
        return 7

    def predict_shards(
        self, request: Mapping[str, Any], shards: Sequence[Shard], folder: Path, on_event: Callable[[Event], object]
    ) -> None:
        assert [one.images for one in shards] == [8, 8, 8, 8, 8, 8, 12] and request["timeout"] is None
        progress, network = ShardProgress(shards, on_event), ShardNetwork.load(request)
        for shard in random.Random(0).sample([*shards, *shards[2:5]], len(shards) + 3):
            network.predict(shard, folder, progress.of(shard))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench whose images show one person or two, and a run without shards in its folder `whole`."""
    bench = Bench(tmp_path_factory.mktemp("shards"))
    draw_coco(bench.data / "coco", IMAGES)
    truth = json.loads(bench.annotations.read_text())
    truth["annotations"] = [one for one in truth["annotations"] if one["id"] % 5]
    bench.annotations.write_text(json.dumps(truth))
    (bench.folder / "tiny_nets.py").write_text(TINY)
    (bench.folder / "aware_nets.py").write_text(NETWORK)
    torch.manual_seed(0)
    net = torch.nn.Module()
    net.net = torch.nn.Conv2d(3, 17, 5, stride=4, padding=2)
    save(net, bench.folder / "tiny.safetensors")
    bench.suite(SUITE)
    assert run(bench, "whole") == 0 and crops(bench) == PEOPLE
    return bench


def run(bench: Bench, out: str, *more: str, apart: bool = False) -> int:
    (bench.folder / "batches").unlink(missing_ok=True)
    return main(bench.arguments(bench.folder / "suite.yaml", *more, out=out, apart=apart))


def crops(bench: Bench) -> int:
    """How many went through the network in the last run."""
    return sum(map(int, (bench.folder / "batches").read_text().split()))


def content(bench: Bench, out: str) -> tuple[Result, dict[str, bytes]]:
    """What a run stored: the result without what differs between two runs of one kind, and the bytes of its files."""
    (result,) = hrbench.load(bench.folder / out)
    folder = bench.folder / out / "entries" / "one"
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".json", ".npz")}
    del files["result.json"]
    assert {"predictions.json", "states.npz"} <= set(files) and not (bench.folder / out / "shards").exists()
    made = replace(result.provenance, date="", environment={}, in_process=False)
    asked = replace(result.entry, shards=1)
    return replace(result, entry=asked, provenance=made, seconds={}, folder="", log=""), files


def test_any_number_of_shards_in_any_order_gives_the_same(place, monkeypatch, capsys):
    whole = content(place, "whole")
    assert whole[0].scores[0].interval is not None
    assert run(place, "three", "--set", "shards=3") == 0
    assert content(place, "three") == whole and crops(place) == PEOPLE
    monkeypatch.setattr(execution, "InProcessExecutor", Shuffling)
    capsys.readouterr()
    assert run(place, "seven") == 0  # by `shards: auto`
    assert content(place, "seven") == whole and crops(place) > PEOPLE
    assert f"one: predict: {IMAGES}/{IMAGES} images" in capsys.readouterr().out


def test_after_a_kill_the_same_command_predicts_what_is_missing(place, capsys):
    (place.folder / "die").touch()
    assert run(place, "run", "--set", "shards=7", apart=True) == 3
    assert "SIGKILL" in capsys.readouterr().out
    left = sorted((place.folder / "run" / "shards").glob("*/*.shard"))
    assert 3 <= len(left) < 7
    damaged = bytearray(left[1].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    left[1].write_bytes(damaged)
    (place.folder / "die").unlink()
    assert run(place, "run", "--set", "shards=7", apart=True) == 0
    said = capsys.readouterr().out
    assert f"{left[1]} is damaged" in said and f"{8 * (len(left) - 1)} of {IMAGES} images are predicted already" in said
    assert content(place, "run") == content(place, "whole")
    people = json.loads(place.annotations.read_text())["annotations"]
    ranges = [tuple(map(int, path.stem.split("-"))) for number, path in enumerate(left) if number != 1]
    stored = sum(any(first < one["image_id"] <= last for first, last in ranges) for one in people)
    assert crops(place) == len(people) - stored
