"""Weights in a run: of entries that measure only costs, and those that a user-defined callable loads itself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_bench import NETWORK, Bench

import hrbench
from hrbench.cli.command_line import main
from hrbench.core.digests import sha256
from hrbench.judge.comparability import changes
from hrbench.models.weights.load import read_state, save, state_digest
from hrbench.types import Note, Result

OWN = (
    NETWORK
    + '''

def loaded(joints=17, file="tiny.safetensors"):
    """With weights inside, as any library may give a network."""
    from pathlib import Path
    from safetensors.torch import load_file
    net = Tiny(joints)
    net.load_state_dict(load_file(str(Path(__file__).with_name(file))))
    return net
'''
)
MODEL = '{base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:%s", args: {joints: 17}, input: [64, 48]}'


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """The code beside one test's suite is not that of another's."""
    yield
    sys.modules.pop("tiny_nets", None)


def costs_suite(bench: Bench, weights: str, use: str = "pose") -> Path:
    return bench.suite(
        f"""
        suite: costs
        defaults: {{cost: {{latency: false}}}}
        entries:
          - {{name: one, weights: {weights}, model: {MODEL % use}}}
          - {{name: plain, model: {MODEL % use}}}
        """
    )


def ran(bench: Bench, suite: Path, *more: str, code: int = 0) -> Result:
    """The first entry's result, after a run that ends with this code."""
    assert main(bench.arguments(suite, *more)) == code
    return next(result for result in hrbench.load(bench.folder / "run") if result.name == "one")


def check(bench: Bench, suite: Path, *more: str) -> int:
    return main(["check", str(suite), "--weights", str(bench.folder / "weights"), *more])


# --- a part of a checkpoint ---------------------------------------------------------------------------------------


def test_a_key_chooses_the_weights_is_recorded_and_has_predictions_of_its_own(bench: Bench):
    trained = read_state(bench.folder / "tiny.safetensors")
    averaged = {key: -value for key, value in trained.items()}
    torch.save({"model": trained, "model_ema": averaged, "args": SimpleNamespace(lr=1)}, bench.folder / "w.pth")
    text = """
        suite: parts
        defaults: {dataset: coco-keypoints-val2017, protocol: {boxes: ground_truth}, cost: {latency: false}}
        entries:
          - {name: plain, model: {use: "tiny_nets:pose", task: pose, input: [64, 48]}, weights: ./w.pth}
          - {name: same, model: {use: "tiny_nets:pose", task: pose, input: [64, 48]}, weights: {file: ./w.pth}, seed: 1}
          - {name: ema, model: {use: "tiny_nets:pose", task: pose, input: [64, 48]},
             weights: {file: ./w.pth, key: model_ema}}
        """
    assert main(bench.arguments(bench.suite(text))) == 0
    plain, same, ema = hrbench.load(bench.folder / "run")
    for result in (plain, same):
        assert [note.what for note in result.notes if isinstance(note, Note) and note.kind == "checkpoint_part"] == [
            "the weights are 'model' of the checkpoint, which also has 'model_ema'"
        ]
    assert (plain.provenance.weights.key, ema.provenance.weights.key) == ("", "model_ema")
    assert plain.provenance.weights.sha256 == ema.provenance.weights.sha256
    assert plain.prediction_key != ema.prediction_key
    files = [json.loads((Path(one.folder) / "predictions.json").read_text()) for one in (plain, same, ema)]
    assert files[0] == files[1] != files[2]
    (line,) = (each for each in changes(plain, ema) if each.startswith("weights: "))
    assert line.endswith(" (model_ema)")


def test_the_prefix_that_a_message_names_is_dropped_recorded_and_told(bench: Bench, capsys):
    trained = read_state(bench.folder / "tiny.safetensors")
    torch.save({"state_dict": {f"net.module.{key}": value for key, value in trained.items()}}, bench.folder / "w.ckpt")
    entry = """
        suite: prefixes
        defaults: {{dataset: coco-keypoints-val2017, protocol: {{boxes: ground_truth}}, cost: {{latency: false}}}}
        entries:
          - {{name: one, model: {{use: "tiny_nets:pose", task: pose, input: [64, 48]}}, weights: {weights}}}
          - {{name: right, model: {{use: "tiny_nets:pose", task: pose, input: [64, 48]}}, weights: ./tiny.safetensors}}
        """
    assert main(bench.arguments(bench.suite(entry.format(weights="./w.ckpt")))) == 3
    said = " ".join("".join(capsys.readouterr()).split())
    advice = re.search(r"`weights: (\{[^`]+\})` drops it", said)
    assert advice is not None, said
    weights = advice[1].replace("...", "./w.ckpt")
    assert weights == '{file: ./w.ckpt, drop: "net.module."}'
    suite = bench.suite(entry.format(weights=weights))
    assert check(bench, suite, "--data", str(bench.data)) == 0
    note = "prefix 'net.module.' dropped from all keys, as asked for"
    assert note in " ".join(capsys.readouterr().out.split())
    assert main(bench.arguments(suite)) == 0
    one, right = hrbench.load(bench.folder / "run")
    assert one.provenance.weights.drop == "net.module." and one.entry.weights_drop == "net.module."
    assert note in [each.what for each in one.notes if isinstance(each, Note)]
    assert one.prediction_key != right.prediction_key
    assert [each.value for each in one.scores] == [each.value for each in right.scores]
    (line,) = (each for each in changes(one, right) if each.startswith("weights: "))
    assert "(without net.module.)" in line


# --- how images are prepared for a network of one's own --------------------------------------------------------------


def test_defaults_of_preprocessing_are_told_of_a_network_of_ones_own_until_the_suite_states_them(bench: Bench, capsys):
    model = 'use: "tiny_nets:pose", task: pose, input: [64, 48]'
    text = """
        suite: prepared
        defaults: {{dataset: coco-keypoints-val2017, protocol: {{boxes: ground_truth}}, cost: {{latency: false}}}}
        entries: [{{name: one, model: {{{model}}}, weights: ./tiny.safetensors}}]
        """
    suite = bench.suite(text.format(model=model))
    assert main(bench.arguments(suite)) == 0
    said = "colour rgb; mean 0.485, 0.456, 0.406; std 0.229, 0.224, 0.225"
    assert said in " ".join(capsys.readouterr().out.split())

    def told() -> list[Note]:
        (one,) = hrbench.load(bench.folder / "run")
        return [note for note in one.notes if isinstance(note, Note) and note.kind == "default_preprocessing"]

    (note,) = told()
    assert said in note.what and note.option == "model: {colour: ..., mean: ..., std: ...}"
    assert check(bench, suite, "--data", str(bench.data)) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    stated = model + ", colour: rgb, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]"
    assert main(bench.arguments(bench.suite(text.format(model=stated)))) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "stored already" in out and "by the defaults of hrbench" not in out
    assert told() == []  # the numbers are the same, and what is stored no longer says that nothing states them


# --- costs alone -----------------------------------------------------------------------------------------------------


def test_weights_of_an_entry_for_costs_are_read_and_recorded(bench: Bench, capsys):
    suite = costs_suite(bench, "tiny.safetensors")
    one = ran(bench, suite, "--strict")
    found = one.provenance.weights
    assert (found.file, found.source) == ("tiny.safetensors", "file")
    assert found.sha256 == sha256(bench.folder / "tiny.safetensors")
    assert one.status == "costs_only" and len(one.costs) == 8
    said = f"weights: tiny.safetensors (SHA-256 {found.sha256[:8]}...) fit the network"
    assert said in one.notes and said in capsys.readouterr().out
    (_, plain) = hrbench.load(bench.folder / "run")
    assert plain.provenance.weights is None and plain.cost_keys == one.cost_keys != {}  # costs are shared
    assert check(bench, suite, "--strict") == 0 and "costs only" in capsys.readouterr().out


def test_what_is_noted_in_loading_is_told_and_kept(bench: Bench, monkeypatch):
    state = {f"module.{key}": value.double() for key, value in read_state(bench.folder / "tiny.safetensors").items()}
    torch.save({"state_dict": state}, bench.folder / "wide.pth")
    suite = costs_suite(bench, "wide.pth")
    said = ran(bench, suite).notes
    told = [str(note) for note in said]
    assert any("float64 to float32" in note for note in told) and any("'module.' dropped" in note for note in told)
    monkeypatch.setattr("hrbench.runner.prepare.build_with_weights", lambda *_: pytest.fail("it was proved already"))
    assert ran(bench, suite).notes == said


def test_missing_weights_leave_the_costs_and_are_lacking(bench: Bench, capsys):
    suite = costs_suite(bench, "nothere.pth")
    one = ran(bench, suite)
    assert one.status == "empty" and "nothere.pth are not there" in one.reason and len(one.costs) == 8
    assert "nothere.pth are not there" in capsys.readouterr().out
    assert "nothere.pth" in (bench.folder / "run" / "report.html").read_text()
    ran(bench, suite, "--strict", code=3)
    capsys.readouterr()
    assert check(bench, suite) == 0
    said = capsys.readouterr().out
    assert "weights missing" in said and "nothere.pth are not there" in said
    assert check(bench, suite, "--strict") == 3


def test_a_source_that_is_not_there_is_lacking_too(bench: Bench):
    suite = bench.suite("{suite: costs, models: [cls_hrnet_w18], defaults: {weights: timm, cost: {latency: false}}}")
    assert main(bench.arguments(suite, "--strict")) == 3
    (result,) = hrbench.load(bench.folder / "run")
    assert "no weights of cls_hrnet_w18 found" in result.reason and result.costs


def _junk(path: Path) -> None:
    path.write_bytes(b"junk")


def _more(path: Path) -> None:
    torch.save({**read_state(path.with_name("tiny.safetensors")), "head.extra": torch.ones(1)}, path)


def _asking(path: Path) -> None:
    torch.save({"model": torch.nn.Linear(1, 1)}, path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_junk, "not a whole PyTorch checkpoint"),
        (_more, "1 left over: head.extra"),
        (
            _asking,
            "refused unread, since its 'model' is no state dict but an object that only running its code can make",
        ),
    ],
)
def test_weights_that_will_not_do_fail_the_entry(bench: Bench, capsys, make, words: str):
    make(bench.folder / "bad.pth")
    one = ran(bench, costs_suite(bench, "bad.pth"), code=3)
    assert one.status == "failed" and words in one.reason and "bad.pth" in one.reason and one.costs


def test_changed_weights_are_read_again(bench: Bench):
    save(read_state(bench.folder / "tiny.safetensors"), bench.folder / "w.safetensors")
    suite = costs_suite(bench, "w.safetensors")
    before = ran(bench, suite).provenance.weights
    (bench.folder / "w.safetensors").write_bytes(b"damaged since")
    assert ran(bench, suite, code=3).status == "failed"
    save(
        {key: value + 1 for key, value in read_state(bench.folder / "tiny.safetensors").items()},
        bench.folder / "w.safetensors",
    )
    after = ran(bench, suite)
    assert after.status == "costs_only" and after.provenance.weights.sha256 != before.sha256


def test_a_changed_network_is_proved_again(bench: Bench):
    assert ran(bench, costs_suite(bench, "tiny.safetensors")).status == "costs_only"
    code = bench.folder / "tiny_nets.py"
    code.write_text(
        code.read_text().replace("self.net = nn.Conv2d", "self.body = nn.Conv2d").replace("self.net(x)", "self.body(x)")
    )
    sys.modules.pop("tiny_nets")
    one = ran(bench, costs_suite(bench, "tiny.safetensors"), code=3)
    assert one.status == "failed" and "body.weight" in one.reason


# --- a network that brings its own -----------------------------------------------------------------------------------


def accuracy_suite(bench: Bench, weights: str, use: str) -> Path:
    given = f"weights: {weights}, " if weights else ""
    return bench.suite(
        f"""
        suite: own
        entries:
          - name: one
            {{{given}model: {MODEL % use}, dataset: coco-keypoints-val2017, protocol: {{boxes: ground_truth}}, cost: {{latency: false}}}}
        """.replace("- name: one\n            {", "- {name: one, ")  # noqa: E501
    )


@pytest.fixture
def own(bench: Bench) -> Bench:
    (bench.folder / "tiny_nets.py").write_text(OWN)
    return bench


def test_a_network_with_its_weights_inside_scores_as_from_the_file(own: Bench, monkeypatch, capsys):
    from_file = ran(own, accuracy_suite(own, "tiny.safetensors", "pose"))
    suite = accuracy_suite(own, "own", "loaded")
    one = ran(own, suite)
    assert one.status == "done" and [s.value for s in one.scores] == [s.value for s in from_file.scores]
    assert (one.provenance.weights.source, one.provenance.weights.use) == ("own", "tiny_nets:loaded")
    assert len(one.costs) == 8 and all(cost.value is not None for cost in one.costs)
    with monkeypatch.context() as patched:
        patched.setattr("hrbench.runner.jobs.evaluate", lambda *_: pytest.fail("nothing should be evaluated again"))
        assert ran(own, suite).score_key == one.score_key
    path = own.folder / "tiny.safetensors"
    save({key: -value for key, value in read_state(path).items()}, path)
    other = ran(own, suite)
    assert other.score_key != one.score_key
    assert other.provenance.weights.sha256 != one.provenance.weights.sha256
    (replaced,) = [note for note in other.notes if isinstance(note, Note) and note.kind == "other_weights"]
    assert f"{one.provenance.weights.sha256[:8]}, AP " in replaced.what
    assert main(["check", str(suite), "--data", str(own.data)]) == 0


def test_own_weights_of_an_entry_for_costs(own: Bench):
    one = ran(own, costs_suite(own, "own", "loaded"))
    assert one.status == "costs_only" and len(one.provenance.weights.sha256) == 64
    (own.folder / "tiny.safetensors").write_bytes(b"damaged")
    again = ran(own, costs_suite(own, "own", "loaded"), code=3)
    assert again.status == "failed" and "tiny_nets:loaded" in again.reason


def test_a_network_of_ones_own_without_weights_hears_of_both_ways(own: Bench):
    one = ran(own, accuracy_suite(own, "", "loaded"))
    assert "weights: PATH, or weights: own if the callable loads them itself" in one.reason


def test_own_is_for_callables_of_ones_own(bench: Bench, capsys):
    suite = bench.suite("{suite: s, models: [cls_hrnet_w18], defaults: {weights: own}}")
    assert main(["check", str(suite)]) == 2
    assert 'weights: own is for a user-defined callable (use: "package.module:callable"), not cls_hrnet' in (
        capsys.readouterr().err
    )


def test_the_digest_of_a_network_is_of_names_and_values():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
    before = state_digest(net)
    again = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    again.load_state_dict(net.state_dict())
    assert state_digest(again) == before and len(before) == 64
    assert state_digest(again.double()) != before
    next(net.buffers())[1] += 1
    assert state_digest(net) != before
