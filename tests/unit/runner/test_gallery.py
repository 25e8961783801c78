"""What is told where images cannot be rendered, and what `check --deep` says before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hrbench.cli.check import _undrawn
from hrbench.errors import InputError, MissingError
from hrbench.runner.check_dataset import Finding
from hrbench.runner.gallery import render_images
from hrbench.types import Sample


def said(tmp_path: Path, error: Exception, missing: tuple[str, ...] = ()) -> str:
    class Failing:
        def rows(self, predictions: Path, samples: Any) -> Any:
            raise error

        def draw(self, sample: Sample, rows: Any, path: Path) -> None: ...

    task: Any = Failing()
    metric: Any = SimpleNamespace(prediction_file="predictions")
    drawings, (note,) = render_images(
        task, metric, [Sample("a", Path("a.png"))], None, tmp_path, lambda: missing, None, 3
    )
    assert drawings == []
    return note


def test_a_note_names_neither_a_class_of_errors_nor_the_temporary_folder(tmp_path: Path) -> None:
    error = InputError(f"{tmp_path}/predictions/0002.png: holds colours")
    assert said(tmp_path, error) == "no image was rendered: predictions/0002.png: holds colours"
    assert said(tmp_path, KeyError("x")) == "no image was rendered: KeyError: 'x'"  # of other code the class says more


@pytest.mark.parametrize(
    ("missing", "why"), [((), "no image a.png"), (("all 2 images are missing; set `paths: windows`",), "all 2 images")]
)
def test_a_missing_image_is_told_as_the_data_set_tells_it(tmp_path: Path, missing: tuple[str, ...], why: str) -> None:
    assert said(tmp_path, MissingError("no image a.png"), missing).startswith(f"no image was rendered: {why}")


def test_images_that_only_drawings_need_are_a_note_of_a_deep_check() -> None:
    assert _undrawn(Finding("missing", "all are missing")) == Finding("note", "no image can be drawn: all are missing")
    assert _undrawn(Finding("fault", "x")) == Finding("fault", "x")
