"""Builds the compiled helper into wheels and editable installs where there is a C compiler.

Without a compiler, or if it fails, the package is installed all the same and runs on NumPy; `hrbench doctor` says why.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILERS = ("cc", "gcc", "clang")
# The same bits on every machine: no contraction to fused operations, no instructions of one processor, no fast maths.
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-fPIC", "-shared")
LIMIT = 600  # seconds, of a compiler that hangs
NATIVE = "hrbench/core/native"
MACOS = "11.0"  # the oldest release that the library is built for


class NativeHook(BuildHookInterface):
    """Adds the library to what is built, or a file that says why there is none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self.folder = tempfile.mkdtemp(prefix="hrbench-native-")
        named = names(Path(self.root, NATIVE))
        library, note = Path(self.folder, named.LIBRARY), Path(self.folder, named.NOT_BUILT)
        reason = compiled(Path(self.root, NATIVE), library, named)
        if reason:
            self.app.display_warning(f"hrbench will run on NumPy: {reason}")
            note.write_text(reason + "\n", encoding="utf-8")
        added = note if reason else library
        if version == "editable":
            build_data["force_include_editable"][str(added)] = f"{named.EDITABLE}/{added.name}"
            return
        build_data["force_include"][str(added)] = f"{NATIVE}/{added.name}"
        if not reason:
            build_data["pure_python"], build_data["tag"] = False, f"py3-none-{platform_tag()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def names(folder: Path) -> ModuleType:
    """hrbench/core/native/sources.py, without the package, whose requirements are not there while it is built."""
    spec = importlib.util.spec_from_file_location("hrbench_native_sources", folder / "sources.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled(folder: Path, library: Path, named: ModuleType) -> str:
    """Compiles the sources in `folder` to the file `library`; "" or, in one line, why that did not go."""
    compiler = compiler_found()
    if not compiler:
        return "no C compiler was found when hrbench was installed"
    files = [str(path) for path in named.sources(folder) if path.suffix == ".c"]
    own = ["-arch", platform.machine(), f"-mmacosx-version-min={MACOS}"] if sys.platform == "darwin" else []
    mark = f'-DHRBENCH_SOURCES="{named.digest(folder)}"'
    command = [*compiler, *FLAGS, *own, mark, "-o", str(library), *files]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"the C compiler {compiler[0]} could not be run ({error})"
    if done.returncode or not library.is_file():
        said = next((line for line in done.stderr.splitlines() if "error" in line.lower()), done.stderr.strip()[-200:])
        return f"the C compiler {compiler[0]} failed ({said.strip() or f'exit status {done.returncode}'})"
    return ""


def compiler_found() -> list[str]:
    """The words of $CC if it is set, else the first of COMPILERS on the path; empty if there is none."""
    asked = shlex.split(os.environ.get("CC", ""))
    if asked:
        return asked if shutil.which(asked[0]) else []
    return next(([path] for name in COMPILERS if (path := shutil.which(name))), [])


def platform_tag() -> str:
    """The platform in a wheel's name: no version of Python, since the library has nothing of Python."""
    if sys.platform == "darwin":
        return f"macosx_{MACOS.replace('.', '_')}_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
