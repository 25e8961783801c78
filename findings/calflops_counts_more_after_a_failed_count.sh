#!/usr/bin/env bash
# After one count that failed, calflops counts every later network of the process twice, then three times.
#
# Versions: calflops 0.3.2, torch 2.14.1, transformers 5.24.0, accelerate 1.15.0.
#
# The input is a network of two linear layers, 192 multiply-adds by hand, counted before and after another network
# whose forward pass raises an exception (here it wants two images), which the caller catches, as a loop over networks
# does:
#
#   before                                192 MACs
#   after one count that raised           384
#   after two                             576
#
# It wraps torch's functions and puts them back only at the end of a count that succeeds. A survey of networks, some of
# which cannot be counted, is right up to the first of them. Each count in a process of its own is right.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check calflops==0.3.2 accelerate==1.15.0 \
  transformers==5.24.0 torch==2.14.1 numpy==2.4.6

cat >count.py <<'E'
import contextlib
import io

from calflops import calculate_flops
from torch import nn


class WantsTwo(nn.Linear):
    def forward(self, x):
        if len(x) < 2:
            raise ValueError("two images are needed")
        return super().forward(x)


def count(net):
    with contextlib.redirect_stdout(io.StringIO()):
        return calculate_flops(net, input_shape=(1, 8), print_results=False, output_as_string=False)[1]


net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
print("before:", count(net))
for failures in (1, 2):
    with contextlib.suppress(ValueError):
        count(WantsTwo(8, 4))
    print(f"after {failures} that raised:", count(net))
E
cat >expected.txt <<'E'
before: 192
after 1 that raised: 384
after 2 that raised: 576
E
env/bin/python count.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
