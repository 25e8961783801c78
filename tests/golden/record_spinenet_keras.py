"""Makes data/spinenet/keras_names.json and parity_96.json with the official code.

Not a test. Needs tensorflow 2.17 and tf-models-official 2.17 in an environment of its own (packages that the latter
imports but its backbones do not use may be stand-ins), and which key each variable is, from where hrbench is installed:

    python -c "import json; from hrbench.models.weights.keys.spinenet_keras import keras_variables; \\
        print(json.dumps({v.name: v.key for v in keras_variables('96')}))" > keys_96.json
    TF_USE_LEGACY_KERAS=1 python tests/golden/record_spinenet_keras.py keys_96.json

Only the outputs rest on these keys: were a key wrong, the weights drawn for it would be, and the outputs too. Names,
shapes and paths are what TensorFlow says.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import fill
import tensorflow as tf
import tf_keras
from official.vision.modeling.backbones import spinenet

DATA = Path(__file__).parent / "data/spinenet"
VERSIONS = "tf-models-official 2.17.0, tensorflow-cpu 2.17.1, tf_keras 2.17.0"
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def build(variant: str, activation: str = "relu") -> Any:
    """The backbone for 128x128; without a size TF2 would forget the merge of block 9 into P5."""
    tf_keras.backend.clear_session()
    size = tf_keras.layers.InputSpec(shape=[None, 128, 128, 3])
    return spinenet.SpineNet(input_specs=size, activation=activation, **spinenet.SCALING_MAP[variant])


def listed(net: Any) -> tuple[list[Any], list[Any]]:
    """Names and shapes of its weights, and paths and shapes of a checkpoint's variables, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        variables = tf.train.list_variables(tf.train.Checkpoint(model=net).write(f"{folder}/checkpoint"))
    paths = [[name.removeprefix("model/").removesuffix(SUFFIX), shape] for name, shape in variables if SUFFIX in name]
    return [[weight.name, list(weight.shape)] for weight in net.weights], sorted(paths)


def digest(rows: list[Any]) -> str:
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def names() -> dict[str, Any]:
    record: dict[str, Any] = {
        "source": f"{VERSIONS}: names and shapes of model.weights, and variables of tf.train.Checkpoint(model=net), "
        'prefix and suffix removed; others than 96: SHA-256 of the same lists as JSON with separators (",", ":")'
    }
    for variant in ("96", "49S", "49", "143", "190"):
        weights, paths = listed(build(variant))
        record[variant] = (
            {"weights": weights, "paths": paths}
            if variant == "96"
            else {"count": len(weights), "weights_sha256": digest(weights), "paths_sha256": digest(paths)}
        )
    return record


def parity(keys: dict[str, str], activation: str = "swish") -> dict[str, Any]:
    tf_keras.backend.set_floatx("float64")
    net = build("96", activation)
    for weight in net.weights:
        shape = tuple(weight.shape)
        kernel = len(shape) == 4
        drawn = fill.tensor(keys[weight.name], (shape[3], shape[2], *shape[:2]) if kernel else shape)
        assert drawn is not None
        weight.assign(drawn.transpose(2, 3, 1, 0) if kernel else drawn)
    image = (1, 3, 128, 128)
    levels = net(tf.constant(fill.image(image).transpose(0, 2, 3, 1)), training=False)
    outputs = {f"P{level}": fill.sample(levels[level].numpy().transpose(0, 3, 1, 2)) for level in sorted(levels)}
    return {
        "variant": "SpineNet-96",
        "source": f"{VERSIONS}, official/vision/modeling/backbones/spinenet.py (unmodified), CPU",
        "weights": "fill.tensor(key, torch shape)",
        "input": "fill.image((N, C, H, W))",
        "outputs": "NCHW, fill.sample",
        "records": [{"activation": activation, "input_shape": list(image), "outputs": outputs}],
    }


if __name__ == "__main__":
    (DATA / "keras_names.json").write_text(json.dumps(names(), separators=(",", ":")))
    given = json.loads(Path(sys.argv[1]).read_text())
    (DATA / "parity_96.json").write_text(json.dumps(parity(given), indent=1))
