"""Files of TensorFlow's SpineNet (tensorflow/models, official/vision): its variables by their Keras names.

`spinenet_keras.py` lists them. A file holds name -> array, kernels as (height, width, inputs, outputs): .npz, or .h5 as
`model.save_weights` writes it. Names end in ":0" or not, as the version of Keras has it.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from hrbench.models.key_maps import KeyMap, State

COUNTER = "num_batches_tracked"
CHECKPOINT = "/.ATTRIBUTES/VARIABLE_VALUE"


def names(target: Mapping[str, Tensor]) -> Mapping[str, str]:
    """Every name that a variable goes by -> our key, for the size of SpineNet that has exactly the network's keys.

    Empty where it is none of them (an ablation, a scale-permuted ResNet).
    """
    from hrbench.models.spinenet import SCALINGS  # the network's file: wanted only where its weights are
    from hrbench.models.spinenet_keras import keras_variables

    wanted = {key for key in target if key.rpartition(".")[2] != COUNTER}
    for variant in SCALINGS:
        variables = keras_variables(variant)
        if {each.key for each in variables} == wanted:
            break
    else:
        return {}
    listed = {}
    for each in variables:
        listed |= dict.fromkeys((each.name, each.name.removesuffix(":0"), each.path, each.path + CHECKPOINT), each.key)
    return listed


def kernels(state: State, net: nn.Module) -> tuple[State, str]:
    """Kernels from (height, width, inputs, outputs) to (outputs, inputs, height, width)."""
    turned = {key: value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value for key, value in state.items()}
    return turned, "kernels turned from height, width, inputs, outputs" if turned else ""


MAPS = (KeyMap("TensorFlow's SpineNet", ("keras",), ("spinenet",), listing=names, convert=kernels),)
