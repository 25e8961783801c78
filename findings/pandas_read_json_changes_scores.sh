#!/usr/bin/env bash
# pandas changes the last digits of nine in ten scores when it reads a results file, and makes ties of them.
#
# Version: pandas 3.1.1.
#
# The input are 10,000 scores as any JSON encoder writes them, with the digits that tell a double exactly; and the same
# with a neighbour for each, the next double above it. What comes back:
#
#   read_json                             92 % of the scores are other numbers, up to 1e-15 apart
#   read_json, pairs of neighbours        92 % of the pairs are equal now
#   read_json, precise_float=True         all as written
#   read_csv                              all as written
#   to_json (ten decimals)                1e-12 becomes 0.0, 1/3 becomes 0.3333333333
#
# Detections are sorted by their scores, and ties by their order in the file: AP of a file that went through pandas
# need not be that of the file.
#
# The script makes a temporary folder, installs the version above there, and fails if it behaves in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 numpy==2.4.6

cat >read.py <<'E'
import io
import json

import numpy as np
import pandas as pd

scores = np.random.default_rng(0).random(10_000)
neighbours = np.stack([scores, np.nextafter(scores, 1)], 1)


def file(values):
    return io.StringIO(json.dumps([{"score": value} for value in values.ravel().tolist()]))


def percent(flags):
    return f"{100 * np.mean(flags):.0f} %"


found = pd.read_json(file(scores)).score.to_numpy()
print("read_json, other numbers:", percent(found != scores), bool(0 < abs(found - scores).max() < 2e-15))
pairs = pd.read_json(file(neighbours)).score.to_numpy().reshape(-1, 2)
print("read_json, pairs that are equal:", percent(pairs[:, 0] == pairs[:, 1]))
print("read_json, precise_float=True:", percent(pd.read_json(file(scores), precise_float=True).score != scores))
text = "score\n" + "\n".join(map(repr, scores.tolist()))
print("read_csv:", percent(pd.read_csv(io.StringIO(text)).score != scores))
print("to_json:", pd.Series([1e-12, 1 / 3]).to_json(orient="values"))
E
cat >expected.txt <<'E'
read_json, other numbers: 92 % True
read_json, pairs that are equal: 92 %
read_json, precise_float=True: 0 %
read_csv: 0 %
to_json: [0.0,0.3333333333]
E
env/bin/python read.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
