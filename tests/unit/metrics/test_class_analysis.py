"""Why Top-k is what it is: equal to counts image by image, and what is not there has its reason."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hrbench.metrics.topk import TopK
from hrbench.store.analyses import fault_of
from hrbench.types import Analysis

HEADING = "image,label_1,label_2,label_3,label_4,label_5,score_1"


def analysed(folder: Path, truth: dict[str, list[int]], lines: list[str], heading: str = HEADING) -> Analysis:
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "predictions.csv").write_text("\n".join([heading, *lines]))
    metric = TopK()
    target = metric.read_target(folder / "truth.json")
    predictions = metric.read_predictions(folder / "predictions.csv", target)
    found = metric.analyse(predictions, target, metric.measure(predictions, target))
    assert fault_of(found) == ""
    return found


def sections(analysis: Analysis) -> dict:
    return {one.key: one for one in analysis.sections}


def test_it_is_the_count_image_by_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    truth: dict[str, list[int]] = {}
    guesses: dict[str, tuple[list[int], float]] = {}
    for n in range(400):
        own = int(rng.integers(8))
        truth[f"i{n:03d}"] = [] if n % 40 == 0 else [own, (own + 3) % 8] if n % 7 == 0 else [own]
        likely = np.append(np.full(3, own), (own + 1) % 8 if own < 4 else rng.integers(8))
        first = int(rng.choice(likely))
        rest = [label for label in rng.permutation(8).tolist() if label != first][:4]
        guesses[f"i{n:03d}"] = [first, *rest], float(rng.uniform(0.01, 1))
    # in another order than the images'
    lines = [f"{name}.png,{','.join(map(str, row))},{score!r}" for name, (row, score) in sorted(guesses.items())[::-1]]
    found = sections(analysed(tmp_path, truth, lines))

    judged = {name: labels for name, labels in truth.items() if labels}
    for k in range(1, 6):
        hits = sum(bool(set(labels) & set(guesses[name][0][:k])) for name, labels in judged.items())
        assert found["topk"].y[0, k - 1] == hits / len(judged)
    assert found["topk"].x.tolist() == [1, 2, 3, 4, 5]

    single = {name: labels[0] for name, labels in judged.items() if len(labels) == 1}
    pairs = Counter((own, guesses[name][0][0]) for name, own in single.items())
    wrong = {pair: many for pair, many in pairs.items() if pair[0] != pair[1]}
    of = Counter(single.values())
    told = dict(zip(found["pairs"].rows, found["pairs"].values.tolist(), strict=True))
    assert told == {
        f"class {a} → class {b}": [many, many / of[a], many / sum(wrong.values()), wrong.get((b, a), 0)]
        for (a, b), many in wrong.items()
    }
    assert found["pairs"].values[:, 0].tolist() == sorted(wrong.values(), reverse=True)

    taken = Counter(guesses[name][0][0] for name in single)
    for label, row in zip(found["classes"].rows, found["classes"].values.tolist(), strict=True):
        own = int(label.removeprefix("class "))
        mine = [name for name, each in single.items() if each == own]
        right = [sum(own in guesses[name][0][:k] for name in mine) / len(mine) for k in (1, 5)]
        assert row == [len(mine), *right, pairs[own, own] / taken[own], taken[own]]
    assert found["classes"].values[:, 1].tolist() == sorted(found["classes"].values[:, 1])

    bins: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for name, labels in judged.items():
        row, score = guesses[name]
        bins[next(m for m in range(15) if score <= (m + 1) / 15)].append((score, row[0] in labels))
    gaps = [(len(one), abs(sum(r for _, r in one) - sum(s for s, _ in one)) / len(one)) for one in bins if one]
    ece = sum(many * gap for many, gap in gaps) / len(judged)
    assert found["calibration"].values[0, 3:].tolist() == pytest.approx([ece, max(gap for _, gap in gaps)], abs=1e-12)
    accuracy = [np.mean([right for _, right in one]) if one else np.nan for one in bins]
    assert found["reliability"].y[0].tolist() == pytest.approx(accuracy, nan_ok=True)
    assert found["reliability"].diagonal


@pytest.mark.parametrize(
    ("heading", "score"), [("image,label", ""), ("image,label,score", ",7.25"), ("image,label,score", ",0.0")]
)
def test_scores_that_are_no_probabilities_are_not_calibrated(tmp_path: Path, heading: str, score: str) -> None:
    lines = [f"i{n},{n % 2}{score}" for n in range(4)]
    found = sections(analysed(tmp_path, {f"i{n}": [0] for n in range(4)}, lines, heading))
    assert "reliability" not in found
    assert np.isnan(found["calibration"].values[0, 2:]).all()
    assert "logits" in found["calibration"].reasons[0, 3]
    assert found["topk"].y.tolist() == [[0.5]]
    assert found["pairs"].rows == ("class 0 → class 1",)


def test_images_with_several_valid_classes_alone_have_no_pairs(tmp_path: Path) -> None:
    found = sections(analysed(tmp_path, {"a": [0, 1], "b": []}, ["a,3", "b,2"], "image,label"))
    assert set(found) == {"topk", "calibration"}


def test_without_a_valid_class_there_is_nothing_to_explain(tmp_path: Path) -> None:
    assert analysed(tmp_path, {"a": []}, ["a,3"], "image,label").sections == ()
