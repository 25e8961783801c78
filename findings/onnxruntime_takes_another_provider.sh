#!/usr/bin/env bash
# onnxruntime runs on the CPU when it is asked for a provider that it does not have, or that does not exist.
#
# Version: onnxruntime 1.32.0 (the package for the CPU), onnx 1.23.2.
#
# A file with one operator is opened with these providers, and says which it has:
#
#   asked for                                   has
#   ["CUDAExecutionProvider"]                   CPUExecutionProvider, and a Python warning
#   ["Foo"]                                     CPUExecutionProvider, a Python warning, and lines on standard output
#   ["cpu"]                                     CPUExecutionProvider, as for "Foo"
#   []                                          CPUExecutionProvider
#
# A latency "on CUDA" is that of the CPU wherever warnings are off. The same session reads an array of another byte
# order as if it were of its own: 1, 2, 3 in big-endian float32 come out of an identity as 4.6e-41, 9e-44, 2.3e-41,
# silently. `session.get_providers()`, and in newer releases `get_provider_graph_assignment_info()`, tell what has run.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6

cat >ask.py <<'E'
import contextlib
import io
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import helper

ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", ends[:1], ends[1:])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "same.onnx")
for asked in (["CUDAExecutionProvider"], ["Foo"], ["cpu"], []):
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(io.StringIO()) as printed:
        warnings.simplefilter("always")
        session = onnxruntime.InferenceSession("same.onnx", providers=asked)
    print(f"{asked}: {session.get_providers()}, warnings: {len(warned)}, printed: {bool(printed.getvalue())}")
values = np.array([1, 2, 3], ">f4")
print([f"{value:.1e}" for value in session.run(None, {"x": values})[0]])
E
cat >expected.txt <<'E'
['CUDAExecutionProvider']: ['CPUExecutionProvider'], warnings: 1, printed: False
['Foo']: ['CPUExecutionProvider'], warnings: 1, printed: True
['cpu']: ['CPUExecutionProvider'], warnings: 1, printed: True
[]: ['CPUExecutionProvider'], warnings: 0, printed: False
['4.6e-41', '9.0e-44', '2.3e-41']
E
env/bin/python ask.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
