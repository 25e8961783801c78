"""What the variables of TensorFlow's SpineNet are called, in what order they come, and which key each of ours is.

For tensorflow/models, official/vision/modeling/backbones/spinenet.py (tf-models-official 2.17), the functional Keras
model built with min_level=3 and max_level=7. For whoever reads its files:

    for variable in keras_variables("96"):          # as in model.weights
        variable.name       "conv2d_5/kernel:0"     as in h5 files and in model.weights[i].name
        variable.path       "layer_with_weights-8/kernel"
                            as in checkpoints, between what holds the backbone there and "/.ATTRIBUTES/VARIABLE_VALUE"
        variable.shape      (1, 1, 256, 32)
        variable.key        "blocks.1.resample.0.squeeze.conv.weight" in the state dict of `spinenet`

Kernels there are (height, width, inputs, outputs); `keys/keras.py` turns them.

Names are given out in the order of construction, which is the order of our keys. The variables, and the numbers in
paths, follow the order in which Keras keeps layers: those farthest from the outputs first, and at one distance in the
order in which a walk from P3 to P7 back to the image first meets them. Both follow from the graph, which is rebuilt
here layer by layer, with the operators between layers, since they count for the distance. Neither activation nor input
size changes anything, so long as the model was given a size: built for any, TF2 forgets that block 9 is added to P5 and
has none of its variables (615 instead of 650), and is another network. num_batches_tracked has no counterpart: it
stays 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from hrbench.models.spinenet import LEVELS, SCALINGS, SPINENET, SpineNetBlock, spinenet

# The official list of blocks has a sixteenth, which no output of levels 3 to 7 depends on. The Keras model holds none
# of its variables, but it has taken names, so those of the endpoints begin later.
BLOCKS = (*SPINENET.blocks, SpineNetBlock(2, (2, 13), output=True))

# Attribute in the official block -> attribute in ours, in the order of construction.
SHORTCUT = (("_shortcut", "_norm0", "downsample.conv", "downsample.bn"),)
BODY = {
    kind: tuple((f"_conv{i}", f"_norm{i}", f"conv{i}", f"bn{i}") for i in range(1, count + 1))
    for kind, count in {"bottleneck": 3, "residual": 2}.items()
}
NORM = (("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var"))
UPSAMPLING = 5  # operators in a row: shape, its item, reshape, tile, reshape


@dataclass(frozen=True, slots=True)
class KerasVariable:
    """One variable: see the top of this file. shape: Keras', so that of a kernel is height, width, inputs, outputs."""

    name: str
    path: str
    shape: tuple[int, ...]
    key: str


@dataclass(frozen=True, slots=True)
class _KerasLayer:
    """A layer or an operator of the Keras graph. variables: (name, path within the layer, key), in Keras' order."""

    inputs: tuple[int, ...]
    variables: tuple[tuple[str, str, str], ...] = ()


def keras_variables(variant: str) -> list[KerasVariable]:
    """All variables of the backbone, in the order of `model.weights`. variant: one of `spinenet.SCALINGS`."""
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in spinenet(variant).state_dict().items()}
    graph = _KerasGraph(SCALINGS[variant].repeats)
    listed = []
    with_weights = (layer.variables for layer in graph.in_keras_order() if layer.variables)
    for number, variables in enumerate(with_weights):
        for name, path, key in variables:
            shape = shapes[key]
            shape = (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape
            listed.append(KerasVariable(name, f"layer_with_weights-{number}/{path}", shape, key))
    return listed


class _KerasGraph:
    """The layers in the order of construction; `names` counts how often each default name was given out."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats
        self.layers = [_KerasLayer(())]  # the image
        self.names: dict[str, int] = {}
        self.outputs = self.build()

    def build(self) -> list[int]:
        """Construct stem, blocks and endpoints; returns the layers that write P3 to P7."""
        place = self.add(self.operator(self.conv_norm(0, "stem")))  # the max-pool after the activation
        places = []
        for i in range(len(SPINENET.stem)):
            place = self.group(place, "bottleneck", f"stem.blocks.{i}", shortcut=i == 0)
            places.append(place)
        levels = [*SPINENET.stem]
        ends = {}
        for i, block in enumerate(BLOCKS):
            terms = [
                self.resample(places[parent], block.level - levels[parent], f"blocks.{i}.resample.{j}")
                for j, parent in enumerate(block.inputs)
            ]
            total = self.add(*terms, *(places[merged] for merged in block.merged))
            places.append(self.group(self.operator(total), block.kind, f"blocks.{i}.layers"))
            levels.append(block.level)
            if block.output:
                ends[block.level] = places[-1]
        return [self.operator(self.conv_norm(ends[level], f"endpoints.{level}")) for level in LEVELS]

    def add(self, *inputs: int, variables: Sequence[tuple[str, str, str]] = ()) -> int:
        self.layers.append(_KerasLayer(inputs, tuple(variables)))
        return len(self.layers) - 1

    def operator(self, place: int, times: int = 1) -> int:
        for _ in range(times):
            place = self.add(place)
        return place

    def named(self, kind: str) -> str:
        """conv2d, conv2d_1, conv2d_2, ..."""
        number = self.names[kind] = self.names.get(kind, -1) + 1
        return f"{kind}_{number}" if number else kind

    def conv_norm(self, place: int, key: str) -> int:
        """A convolution and its norm, two layers."""
        conv, norm = self.named("conv2d"), self.named("batch_normalization")
        place = self.add(place, variables=[(f"{conv}/kernel:0", "kernel", f"{key}.conv.weight")])
        return self.add(place, variables=[(f"{norm}/{theirs}:0", theirs, f"{key}.bn.{ours}") for theirs, ours in NORM])

    def resample(self, place: int, halvings: int, key: str) -> int:
        place = self.operator(self.conv_norm(place, f"{key}.squeeze"))
        if halvings > 0:
            place = self.operator(self.conv_norm(place, f"{key}.down"), halvings)  # activation, then max-pools
        elif halvings < 0:
            place = self.operator(place, UPSAMPLING)
        return self.conv_norm(place, f"{key}.expand")

    def group(self, place: int, kind: str, key: str, shortcut: bool = False) -> int:
        """Repeated blocks, each one layer of Keras, and the identity that names what they write."""
        for i in range(self.repeats):
            parts = (*(SHORTCUT if shortcut and i == 0 else ()), *BODY[kind])
            variables = list(block_variables(self.named(f"{kind}_block"), parts, f"{key}.{i}"))
            place = self.add(place, variables=variables)
        return self.operator(place)

    def in_keras_order(self) -> list[_KerasLayer]:
        """The layers that the outputs depend on, as Keras sorts them."""
        met: dict[int, None] = {}  # in the order in which a walk from the outputs first meets them
        done: list[int] = []  # after everything they depend on
        waiting = [(place, False) for place in reversed(self.outputs)]
        while waiting:
            place, finished = waiting.pop()
            if finished:
                done.append(place)
            elif place not in met:
                met[place] = None
                waiting.append((place, True))
                waiting += [(parent, False) for parent in reversed(self.layers[place].inputs)]
        distance = dict.fromkeys(met, 0)
        for place in reversed(done):
            for parent in self.layers[place].inputs:
                distance[parent] = max(distance[parent], distance[place] + 1)
        return [self.layers[place] for place in sorted(met, key=lambda place: -distance[place])]


def block_variables(block: str, parts: Sequence[tuple[str, str, str, str]], key: str) -> Iterator[tuple[str, str, str]]:
    """(name, path, key) of a block's variables: all that are trained, then all moving statistics."""
    numbered = [(f"_{i}" if i else "", *part) for i, part in enumerate(parts)]
    for number, conv, norm, our_conv, our_norm in numbered:
        yield f"{block}/conv2d{number}/kernel:0", f"{conv}/kernel", f"{key}.{our_conv}.weight"
        for theirs, ours in NORM[:2]:
            yield f"{block}/batch_normalization{number}/{theirs}:0", f"{norm}/{theirs}", f"{key}.{our_norm}.{ours}"
    for number, _, norm, _, our_norm in numbered:
        for theirs, ours in NORM[2:]:
            yield f"{block}/batch_normalization{number}/{theirs}:0", f"{norm}/{theirs}", f"{key}.{our_norm}.{ours}"
