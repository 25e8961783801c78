"""What every task obeys, tried on the case that `task_cases.py` has of it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pickle

import numpy as np
import pytest
from task_cases import Case, case_of

from hrbench.core import plugins
from hrbench.core.stages import STAGES, measured
from hrbench.runner.pipeline import predict
from hrbench.runner.shard_files import ShardRecord, write_shard
from hrbench.runner.shard_merge import notes_of, read_all, read_records
from hrbench.runner.shard_values import packed
from hrbench.runner.shards import shard_of

TASKS = plugins.names("hrbench.tasks")


@pytest.fixture(scope="module", params=TASKS)
def case(request, tmp_path_factory, few_images) -> Case:
    return case_of(request.param, tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("name", TASKS)
def test_its_protocol_is_frozen_named_and_versioned(name):
    protocol = plugins.resolve("hrbench.tasks", name).Protocol()
    assert dataclasses.is_dataclass(protocol)
    assert isinstance(protocol.name, str) and isinstance(protocol.version, int) and protocol.version >= 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        protocol.version = 2


@pytest.mark.parametrize("name", TASKS)
def test_its_protocols_differ_in_name_and_one_of_them_is_usual(name):
    kind = plugins.resolve("hrbench.tasks", name)
    offered = getattr(kind, "protocols", (kind.Protocol(),))
    assert all(type(protocol) is kind.Protocol for protocol in offered)
    names = [protocol.name for protocol in offered]
    assert len(set(names)) == len(names)
    if hasattr(kind, "usual"):
        assert {kind.usual(use) for use in ("mine:network", "torchvision:anything", "resnet", "")} <= set(names)


@pytest.mark.parametrize("name", TASKS)
def test_its_protocols_survive_json(name):
    kind = plugins.resolve("hrbench.tasks", name)
    for protocol in getattr(kind, "protocols", (kind.Protocol(),)):
        plain = json.loads(json.dumps(dataclasses.asdict(protocol)))
        again = kind.Protocol(**{key: tuple(v) if isinstance(v, list) else v for key, v in plain.items()})
        assert again == protocol


def test_it_prepares_alike_again_and_in_another_process(case):
    again = pickle.loads(pickle.dumps(case.task))
    for sample in case.samples:
        items, others = case.task.prepare(sample), again.prepare(sample)
        assert len(items) == len(others)
        for item, other in zip(items, others, strict=True):
            assert item.sample == sample.id and item.image.dtype == np.uint8
            assert item.image.ndim == 3 and item.image.shape[2] == 3 and item.image.flags.c_contiguous
            assert case.shape is None or item.image.shape == case.shape
            np.testing.assert_array_equal(item.image, other.image)


def test_a_prediction_belongs_to_its_sample(case):
    for sample in case.samples:
        items = case.task.prepare(sample)
        raws = case.task.forward(case.net, items) if items else []
        assert len(raws) == len(items)
        prediction = case.task.finish(sample, list(zip(items, raws, strict=True)))
        assert prediction.sample == sample.id
        assert case.task.work(sample) >= len(items)


def test_what_shares_a_batch_changes_nothing(case):
    items = [item for sample in case.samples for item in case.task.prepare(sample)]
    shapes = {item.image.shape for item in items}
    for shape in shapes:
        alike = [item for item in items if item.image.shape == shape]
        together = case.task.forward(case.net, alike)
        alone = [raw for item in alike for raw in case.task.forward(case.net, [item])]
        for one, other in zip(alone, together, strict=True):
            case.alike(one, other)
    assert any(sum(item.image.shape == shape for item in items) > 1 for shape in shapes)


def test_an_image_without_items_has_an_empty_prediction(case):
    if not case.nothing:
        pytest.skip("every image has an item")
    empty = case.task.finish(case.samples[0], [])
    assert empty.sample == case.samples[0].id and not empty.value


def test_what_draws_also_reads_what_it_draws(case):
    assert hasattr(case.task, "draw") == hasattr(case.task, "rows")


def test_timing_its_stages_changes_no_prediction_and_each_has_a_known_name(case):
    def predicted(sample):
        items = case.task.prepare(sample)
        raws = [raw for item in items for raw in case.task.forward(case.net, [item])]
        return case.task.finish(sample, list(zip(items, raws, strict=True))).value

    for sample in case.samples:
        unmarked = predicted(sample)
        ticks = itertools.count()
        with measured(lambda ticks=ticks: float(next(ticks))) as times:
            marked = predicted(sample)
        assert pickle.dumps(marked) == pickle.dumps(unmarked)
        assert {*times.seconds} <= {*STAGES}
        if case.task.work(sample):
            assert {"decode", "preprocess", "transfer", "forward"} <= {*times.seconds}
        assert all(seconds > 0 for seconds in times.seconds.values())


def test_its_predictions_and_notes_are_those_of_the_whole_from_files_of_shards(case, tmp_path):
    def predicted(samples):
        task = pickle.loads(case.unused)
        return task, list(predict(task, case.net, samples, batch=1, workers=0))

    task, whole = predicted(case.samples)
    count, found = len(case.samples), []
    for first, last in ((0, count // 2), (count // 2, count)):
        of_shard, predictions = predicted(case.samples[first:last])
        record = ShardRecord(shard_of(first, last, 1, "key"), tally=of_shard.tally())
        path = tmp_path / record.shard.file
        found.append((path, write_shard(path, record.shard, predictions, lambda record=record: record)))
    again = list(read_all(read_records([path for path, _ in found], count), case.samples))
    assert packed([[one.sample, one.value] for one in again]) == packed([[one.sample, one.value] for one in whole])
    assert all(type(one.value) is type(other.value) for one, other in zip(again, whole, strict=True))
    assert notes_of([record for _, record in found], pickle.loads(case.unused)) == list(task.notes())
