"""Names of Keras variables: one for every key of ours, with the shape it has there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hrbench.models.spinenet import SCALINGS, spinenet
from hrbench.models.spinenet_keras import keras_variables, to_torch


@pytest.mark.parametrize("variant", SCALINGS)
def test_every_key_has_one_variable(variant: str) -> None:
    listed = keras_variables(variant)
    with torch.device("meta"):
        state = spinenet(variant).state_dict()
    assert {v.key for v in listed} == {key for key in state if not key.endswith("num_batches_tracked")}
    assert len({v.key for v in listed}) == len({v.name for v in listed}) == len({v.path for v in listed}) == len(listed)
    for variable in listed:
        assert to_torch(np.broadcast_to(0.0, variable.shape)).shape == state[variable.key].shape


def test_kernels_are_turned() -> None:
    kernel = np.random.default_rng(0).standard_normal((3, 3, 5, 7))
    turned = to_torch(kernel)
    assert turned.shape == (7, 5, 3, 3)
    assert turned[6, 4, 0, 2] == kernel[0, 2, 4, 6]
    vector = np.arange(3.0)
    assert to_torch(vector) is vector
