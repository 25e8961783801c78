"""A config.json of transformers, or of timm, that is damaged or describes what no network is."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.errors import InputError, UsageError
from hrbench.models.adapters.transformers import build as build_transformers
from hrbench.models.inputs.transformers import library_input as transformers_input

pytest.importorskip("timm")
pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        ('{"model_type": "vit", "num_hidden_layers": 2147483648}', UsageError, "num_hidden_layers: 2.14748e.09; a net"),
        ('{"model_type": "resnet", "depths": [1, 1e9]}', UsageError, "depths: 1e.09; a network has at most 1,000"),
        ('{"architecture": "resnet18", "num_classes": 2199023255552}', UsageError, "at most 1,000,000"),
        ('{"model_type": "vit", "patch_size": "NaN"}', InputError, "config.json: .*patch_size"),
        ('{"model_type": "resnet", "depths": [1, 1.5]}', InputError, "config.json: .*depths"),
        ('{"model_type": "\\ud800"}', InputError, r"config.json: .*\\ud800"),
        ("[" * 20_000, InputError, "config.json cannot be read: maximum recursion"),
    ],
)
def test_configurations_of_which_no_network_is_built(
    tmp_path: Path, content: str, kind: type[Exception], told: str
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(kind, match=told) as found:
        build_transformers(str(tmp_path), task="classification", offline=True)
    str(found.value).encode()


def test_a_model_type_that_is_no_name(tmp_path: Path) -> None:
    for content, told in (('{"model_type": ["vit"]}', "model_type is a list"), ("[" * 20_000, "cannot be read")):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(InputError, match=told):
            transformers_input(str(tmp_path), task="classification", input=None, args={})


def test_more_layers_than_a_network_has_are_refused_in_a_suite_too() -> None:
    with pytest.raises(UsageError, match="vit is to have num_hidden_layers: 5000; a network has at most 1,000"):
        build_transformers("vit", task="classification", num_hidden_layers=5000)
