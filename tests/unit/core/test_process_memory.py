"""The memory of a process: by the kernel's own count."""

from __future__ import annotations

import subprocess
import sys

from hrbench.core.process_memory import peak, resident


def test_the_peak_is_this_process_own_and_not_its_launchers():
    """A launcher that once held much starts a process that holds little: by `ru_maxrss` both have held as much."""
    code = "from hrbench.core.process_memory import peak; print(peak() / 2**20)"
    start = f"subprocess.run([sys.executable, '-c', {code!r}], check=True)"
    launcher = f"held = b'x' * 2**29; import subprocess, sys; {start}"
    done = subprocess.run([sys.executable, "-c", launcher], capture_output=True, text=True, check=True)
    assert 1 < float(done.stdout) < 256


def test_the_peak_without_a_kernel_that_tells_it(tmp_path):
    told = tmp_path / "status"
    told.write_text("Name:\tpython\nVmHWM:\t  1234 kB\nVmRSS:\t 1000 kB\n")
    assert peak(tmp_path) == 1234 * 1024 and resident("VmRSS", tmp_path) == 1000 * 1024
    told.write_text("Name:\tpython\n")
    assert resident("VmHWM", tmp_path) is None and peak(tmp_path) > 2**20
    assert peak(tmp_path / "none") > 2**20
