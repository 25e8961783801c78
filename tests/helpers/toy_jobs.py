"""Jobs for tests of the executors: what well-behaved and misbehaving code does, as small as can be."""

from __future__ import annotations

import atexit
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil


def add(emit, a, b):
    emit({"a": a})
    return a + b


def give(emit, value):
    return value


def where_am_i(emit):
    """What a job finds of its process."""
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "threads of the parent": len(list(Path(f"/proc/{os.getppid()}/task").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "folder": str(Path.cwd()),
        "path": sys.path,
        "environment": dict(os.environ),
        "modules": sorted(sys.modules),
        "files": sorted(int(one.name) for one in Path("/proc/self/fd").iterdir()),
        "siblings": [child.pid for child in psutil.Process(os.getppid()).children() if child.pid != os.getpid()],
        "handlers": {one.name: repr(signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)},
        "session": os.getsid(0),
    }


# --- ways to end ------------------------------------------------------------------------------------------------------


def leave(emit, status):
    os._exit(status)


def send_itself(emit, number):
    os.kill(os.getpid(), number)
    time.sleep(600)


def abort(emit):
    os.abort()


def call_sys_exit(emit, code):
    sys.exit(code)


def hang(emit, deaf=False):
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    emit({"pid": os.getpid(), "server": os.getppid()})
    while True:
        time.sleep(600)


def stop_itself(emit):
    os.kill(os.getpid(), signal.SIGSTOP)


class Unreadable(Exception):
    def __str__(self):
        raise ValueError("no message")

    def __reduce__(self):
        raise TypeError("cannot be pickled")


class Strange(BaseException):
    pass


def _recurse():
    return _recurse()


RAISED = {
    "unreadable": Unreadable(),
    "strange": Strange("with words"),
    "generator exit": GeneratorExit(),
    "interrupt": KeyboardInterrupt(),
    "memory": MemoryError(),
    "lines": RuntimeError("first line\nsecond line"),
    "long": RuntimeError("x" * 1_000_000),
    "stop": StopIteration(3),
    "group": ExceptionGroup("several", [ValueError("one"), OSError("two")]),
}


def throw(emit, what):
    if what == "recursion":
        _recurse()
    raise RAISED[what]


def throw_ours(emit, cause=False):
    from hrbench.errors import InputError

    raise InputError("a.json: line 3 is wrong") from (ValueError("why") if cause else None)


def not_plain(emit):
    return object()


# --- ways to alter the process ----------------------------------------------------------------------------------------


def change_folder(emit):
    os.chdir("/")


def change_much(emit):
    os.environ["TOY_VARIABLE"] = "1"
    sys.path.insert(0, "/nowhere")
    signal.signal(signal.SIGALRM, lambda *_: None)
    os.umask(0o077)
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


def close_stdout(emit):
    sys.stdout.close()


def close_number_one(emit):
    os.close(1)
    return "still here"


def close_files(emit, most):
    os.closerange(3, most or resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    emit({"after": True})
    return "still here"


def change_torch(emit, what):
    import torch

    if what == "threads":
        torch.set_num_threads(1)
    elif what == "dtype":
        torch.set_default_dtype(torch.float64)
    elif what == "device":
        torch.set_default_device("meta")
    elif what == "benchmark":
        torch.backends.cudnn.benchmark = True
    return [torch.get_num_threads(), str(torch.get_default_dtype()), str(torch.get_default_device())]


# --- output and children ----------------------------------------------------------------------------------------------


def print_lines(emit, count, die=False):
    print("first line")
    for number in range(count):
        print(f"line {number}", "." * 90)
    print("to standard error", file=sys.stderr)
    print("last line")
    if die:
        os._exit(1)


def write_megabytes(emit, count):
    print("first line", flush=True)
    for _ in range(count):
        sys.stdout.buffer.write(b"y" * 1_000_000)
    sys.stdout.buffer.flush()
    print("\nlast line")


def start_children(emit, hang=False):
    """A child, one in a session of its own, and an orphan's orphan."""
    child = subprocess.Popen(["sleep", "600"])
    apart = subprocess.Popen(["sleep", "600"], start_new_session=True)
    orphan = subprocess.run(
        ["sh", "-c", "sleep 600 >&2 & echo $!"],
        stdout=subprocess.PIPE,
        check=True,
    )
    pids = [child.pid, apart.pid, int(orphan.stdout)]
    emit({"pids": [*pids, os.getpid(), os.getppid()]})
    while hang:
        time.sleep(600)
    return pids


def leave_things_running(emit):
    """Code at exit and threads that never end."""
    atexit.register(time.sleep, 600)
    for daemon in (False, True):
        threading.Thread(target=time.sleep, args=(600,), daemon=daemon).start()
    return "done"


def return_twice(emit):
    """Forks, and both copies go on as if they were the only one."""
    emit({"before": os.getpid()})
    first = os.getpid()
    os.fork()
    emit({"after": os.getpid()})
    return {"first": first, "mine": os.getpid()}


def kill_the_parent(emit):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def emit_from_threads(emit, threads, events):
    def run(number):
        for event in range(events):
            emit({"thread": number, "event": event, "padding": "x" * 1000})

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    return threads * events


def product(emit):
    """A digest of numbers that BLAS and torch compute with several threads."""
    import hashlib

    import numpy as np
    import torch

    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((300, 500)), rng.standard_normal((500, 200))
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.ReLU(), torch.nn.Conv2d(32, 8, 3))
    with torch.inference_mode():
        image = torch.randn(4, 3, 64, 64)
        output = net(image)
    numbers = [(left @ right).tobytes(), np.linalg.svd(left)[1].tobytes(), output.numpy().tobytes()]
    return {"digests": [hashlib.sha256(one).hexdigest() for one in numbers], "threads": torch.get_num_threads()}
