"""What timm's inference.py writes is read as it is, and gives what the plain CSV gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hrbench.errors import InputError
from hrbench.metrics.topk import TopK

CLASSES, IMAGES = 7, 30


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    rng = np.random.default_rng(4)
    lines = [f"im{number}.jpg {rng.integers(CLASSES)}" for number in range(IMAGES)]
    (tmp_path / "val.txt").write_text("\n".join(lines))
    return tmp_path / "val.txt"


def logits() -> np.ndarray:
    return np.random.default_rng(9).normal(size=(IMAGES, CLASSES))


def best(k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-logits(), axis=1)[:, :k]
    return order, np.take_along_axis(logits(), order, 1).astype(np.float32)


def written(path: Path, k: int, separate: bool, names: bool, column: str = "prob", index: bool = True) -> Path:
    """As inference.py of timm 1.0.31 builds its table."""
    indices, outputs = best(k)
    table = {"filename": [f"im{number}.jpg" for number in range(IMAGES)]}
    labels = np.array([f"a {number}, b" for number in range(CLASSES)], object)[indices]
    parts = [("index", indices)] * index + [("label", labels)] * names + [(column, outputs)]
    for name, values in parts:
        if separate and k > 1:
            table |= {f"{name}_{place}": values[:, place] for place in range(k)}
        else:
            table[name] = list(values.squeeze(-1) if k == 1 else values)
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def scores(truth: Path, predictions: Path) -> list[float | None]:
    metric = TopK()
    target = metric.read_target(truth)
    state = metric.measure(metric.read_predictions(predictions, target), target)
    values = [score.value for score in metric.summarise(state, resamples=0)]
    assert [None if value != value else value for value in metric.verify(truth, predictions).values()] == values
    return values


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("column", ["prob", "logit"])
def test_every_table_of_timm_gives_the_plain_numbers(tmp_path, truth, k, separate, names, column):
    indices, _ = best(k)
    heading = ",".join(["image", *(f"label_{place + 1}" for place in range(k))])
    rows = [f"im{number}.jpg," + ",".join(map(str, row)) for number, row in enumerate(indices.tolist())]
    (tmp_path / "plain.csv").write_text("\n".join([heading, *rows]))
    expected = scores(truth, tmp_path / "plain.csv")
    assert expected[0] is not None and (expected[1] is None) == (k == 1)
    assert scores(truth, written(tmp_path / "timm.csv", k, separate, names, column)) == expected


@pytest.mark.parametrize("separate", [False, True])
def test_names_alone_are_refused_with_what_to_do(tmp_path, truth, separate):
    """With label_0 to label_4, label_1 must not be taken for the best class."""
    path = written(tmp_path / "timm.csv", 5, separate, names=True, index=False)
    with pytest.raises(InputError, match=r"no indices of classes, only names.*--include-index"):
        scores(truth, path)


def test_the_summary_of_validate_is_refused_with_what_to_do(tmp_path, truth):
    path = tmp_path / "results.csv"
    path.write_text("model,top1,top1_err,top5,top5_err,param_count\nresnet50,80.1,19.9,95.0,5.0,25.6\n")
    with pytest.raises(InputError, match=r"validate\.py writes, one line a model.*inference.py --include-index"):
        scores(truth, path)
