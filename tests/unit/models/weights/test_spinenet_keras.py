"""Names of Keras variables: one for every key of ours, with the shape it has there."""

from __future__ import annotations

import pytest
import torch
from empty import on_meta

from hrbench.models.spinenet import SCALINGS, spinenet
from hrbench.models.weights.keys.keras import turned
from hrbench.models.weights.keys.spinenet_keras import keras_variables

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("variant", SCALINGS)
def test_every_key_has_one_variable(variant: str) -> None:
    listed = keras_variables(variant)
    with on_meta():
        state = spinenet(variant).state_dict()
    assert {v.key for v in listed} == {key for key in state if not key.endswith("num_batches_tracked")}
    assert len({v.key for v in listed}) == len({v.name for v in listed}) == len({v.path for v in listed}) == len(listed)
    for variable in listed:
        there = torch.empty(variable.shape, device="meta")
        assert turned(variable.key, there).shape == state[variable.key].shape


def test_kernels_are_turned() -> None:
    kernel = torch.randn(3, 3, 5, 7)
    ours = turned("blocks.0.conv.weight", kernel)
    assert ours.shape == (7, 5, 3, 3)
    assert ours[6, 4, 0, 2] == kernel[0, 2, 4, 6]
    vector = torch.arange(3.0)
    assert turned("blocks.0.bn.weight", vector) is vector
