#!/usr/bin/env bash
# The peak memory of torch on a CPU is up to twice what was ever in use, and differs from process to process.
#
# Versions: torch 2.9.1 as PyPI has it (some 3 GB with its libraries), on Linux with glibc, two threads.
#
# Valid input: a chain of convolutions in inference mode, the same network and input in every process, and the peak of
# resident memory as the kernel tells it (VmHWM). Seen, above what the process had before, in MiB:
#
#   as it is                           94, 108, 117, 143, 143 (another run: 90, 96, 101, 101, 103)
#   MALLOC_MMAP_THRESHOLD_=131072      63, 63, 63, 63, 63
#
# glibc raises the size from which it gives freed blocks back (M_MMAP_THRESHOLD) as larger blocks are freed, up to 32 MiB.
# Activations then lie on the heap and in arenas of threads, where gaps stay. Naming any value of one's own turns that
# off. Who compares the memory of two networks by resident memory, or sizes a container by one run, compares allocators.
#
# The script makes a temporary folder, installs the version above there, and fails if it behaves in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.9.1 numpy==2.3.5

cat >peak.py <<'E'
import torch

torch.manual_seed(0)
torch.set_num_threads(2)


def size(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":"))


class Branches(torch.nn.Module):
    """Four resolutions side by side, which exchange what they know, as high-resolution networks do."""

    def __init__(self):
        super().__init__()
        widths = (18, 36, 72, 144)
        self.stem = torch.nn.Conv2d(3, 18, 3, 2, 1)
        self.down = torch.nn.ModuleList(torch.nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(widths, widths[1:]))
        self.rows = torch.nn.ModuleList(
            torch.nn.ModuleList(torch.nn.Conv2d(w, w, 3, 1, 1) for w in widths) for _ in range(6)
        )
        self.up = torch.nn.ModuleList(torch.nn.Conv2d(w, 18, 1) for w in widths)

    def forward(self, x):
        levels = [torch.relu(self.stem(x))]
        for conv in self.down:
            levels.append(torch.relu(conv(levels[-1])))
        for row in self.rows:
            levels = [torch.relu(conv(level)) + level for conv, level in zip(row, levels)]
        full = levels[0].shape[-2:]
        return sum(torch.nn.functional.interpolate(conv(level), full) for conv, level in zip(self.up, levels))


with torch.inference_mode():
    torch.nn.Conv2d(8, 8, 3)(torch.zeros(1, 8, 16, 16))
    before = size("VmRSS")
    net, image = Branches().eval(), torch.randn(16, 3, 160, 192)
    for _ in range(3):
        net(image)
print(f"{size('VmHWM') - before:.1f}")
E

peaks() { for _ in 1 2 3 4 5; do env/bin/python peak.py; done | sort -n | paste -sd' '; }
plain="$(env -u MALLOC_MMAP_THRESHOLD_ bash -c "$(declare -f peaks); peaks")"
fixed="$(MALLOC_MMAP_THRESHOLD_=131072 peaks)"
echo "as it is:                      $plain"
echo "MALLOC_MMAP_THRESHOLD_=131072: $fixed"
env/bin/python - "$plain" "$fixed" <<'E'
import sys

plain, fixed = ([float(word) for word in text.split()] for text in sys.argv[1:])
assert fixed[-1] <= 1.02 * fixed[0], "with a fixed threshold, processes differ by more than 2 %"
assert plain[0] >= 1.2 * fixed[-1], "without one, the smallest peak is not a fifth larger"
E
