#!/usr/bin/env bash
# torch.compile runs the ninth network of a class as plain eager code: no exception, and the call returns as before.
#
# Versions: torch 2.15.0 as PyPI has it (some 3 GB with its libraries), numpy 2.3.5; on a CPU.
#
# Valid input: networks of one class with other widths, each compiled by itself and called once, as a comparison of
# networks in one process does. A backend counts how often a compiled graph is called. Seen, calls of a graph by each:
#
#   twelve widths, a network each                  1 1 1 1 1 1 1 1 0 0 0 0
#   one network, dynamic=False, batches 1 to 12    1 1 1 1 1 1 1 1 0 0 0 0
#   one network, threads or grad mode changed      1 1 1 1 1 1 1 1 0 0 0 0
#   the first, fail_on_recompile_limit_hit = True  the ninth call raises FailOnRecompileLimitHit
#
# The limit (torch._dynamo.config.recompile_limit) is of the code of `forward`, which all networks of a class share, and
# not of a network. A warning goes to the log of torch._dynamo, nothing to the caller: who times the ninth network times
# eager code under the name of compiled code. hrbench forgets compiled code before each network, and sets that option.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.3.5

cat >eight.py <<'E'
import torch
from torch import nn

calls = 0


def counting(graph, example):
    """A backend that runs a graph as it is, and counts the runs."""

    def run(*inputs):
        global calls
        calls += 1
        return graph.forward(*inputs)

    return run


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, width, 3), nn.Conv2d(width, 3, 3)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def graphs_run(call):
    before = calls
    call()
    return calls - before


def widths():
    image = torch.randn(2, 3, 16, 16)
    for width in range(4, 16):
        net = torch.compile(Net(width).eval(), backend=counting)
        with torch.no_grad():
            yield graphs_run(lambda: net(image))


def batches():
    net = torch.compile(Net(4).eval(), backend=counting, dynamic=False)
    for batch in range(1, 13):
        with torch.no_grad():
            yield graphs_run(lambda: net(torch.randn(batch, 3, 16, 16)))


def modes():
    net, image = torch.compile(Net(4).eval(), backend=counting), torch.randn(2, 3, 16, 16)
    for threads in range(1, 5):
        torch.set_num_threads(threads)
        for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
            with mode():
                yield graphs_run(lambda: net(image))


found = {}
for what in (widths, batches, modes):
    torch._dynamo.reset()
    found[what.__name__] = list(what())
    print(f"{what.__name__:8}", *found[what.__name__])
torch._dynamo.reset()
torch._dynamo.config.fail_on_recompile_limit_hit = True
raised, done = "", 0
try:
    for done, _ in enumerate(widths(), 1):
        pass
except Exception as error:
    raised = type(error).__name__
print("with fail_on_recompile_limit_hit, after", done, "networks:", raised)
assert all(runs == [1] * 8 + [0] * 4 for runs in found.values()), "the limit is another, or another error"
assert (done, raised) == (8, "FailOnRecompileLimitHit")
E
env/bin/python eight.py 2>log
grep -q "hit config.recompile_limit (8)" log || { cat log; exit 1; }
