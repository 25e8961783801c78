"""Imports go down only, leaves do not know one another, and what needs no network starts without torch."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "hrbench"

# standard library only
GROUND = {"types", "contracts", "units", "version", "places", "names", "keys", "machine", "arguments", "class_lists"}
LEAVES = {"models", "datasets", "tasks", "metrics", "cost", "report", "store", "suite", "resolve", "environment"}
LEAVES |= {"catalog", "fetch"}
# above everything; what lies between it and the leaves wires the leaves
FRONT = {"cli", "commands", "data_commands", "__main__"}

TORCH = ("models", "cost", "miniature")  # may import torch at the top of a module; evaluate and tasks inside functions


def part(module: str) -> str:
    """The leaf, or higher part, that a module of hrbench belongs to: "hrbench.core.yaml" is of "suite"."""
    name = module.split(".")[1] if "." in module else "hrbench"
    return "suite" if name.startswith("suite_") else name


def floor(name: str) -> int:
    """0 ground, 1 leaf, 2 what wires the leaves (known, evaluate, run, miniature, ...), 3 the command line."""
    return 0 if name in GROUND else 1 if name in LEAVES else 3 if name in FRONT else 2


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        names = list(path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(names[:-1] if names[-1] == "__init__" else names)] = path
    return found


MODULES = modules()


def imported(module: str, path: Path, top_only: bool = False) -> set[str]:
    """Names of all modules that a file imports, inside functions too; not those for type checkers alone."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                visit(other)
            return
        if top_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                below = f"{base}.{alias.name}"
                found.add(below if below in MODULES else base)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def wrong(module: str, target: str) -> str:
    """Why `module` may not import `target`, or ""."""
    if not target.startswith("hrbench.") or part(module) in ("hrbench", part(target)):
        return ""  # hrbench/__init__ is the public face: lazy, and looked at below
    mine, other = floor(part(module)), floor(part(target))
    if other > mine:
        return f"{module} imports {target}, which is above it"
    if other == mine == 1:
        return f"{module} imports {target}: leaves are given what they need"
    return ""


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str):
    reasons = [wrong(module, target) for target in imported(module, MODULES[module])]
    assert not [reason for reason in reasons if reason]


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle, or none."""
    done: set[str] = set()
    trail: list[str] = []

    def visit(module: str) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module not in done:
            trail.append(module)
            for target in sorted(graph.get(module, ())):
                if found := visit(target):
                    return found
            done.add(trail.pop())
        return []

    return next((found for module in graph if (found := visit(module))), [])


def test_no_modules_import_one_another_in_a_circle():
    graph = {
        module: {target for target in imported(module, path) if target in MODULES and target != "hrbench"}
        for module, path in MODULES.items()
        if module != "hrbench"
    }
    assert circle(graph) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_an_upward_import_would_be_seen():
    """The rule is worth something only if it refuses what it should."""
    assert wrong("hrbench.types", "hrbench.suite.load")
    assert wrong("hrbench.metrics.coco.matching", "hrbench.datasets.coco_keypoints")
    assert wrong("hrbench.datasets.coco_keypoints", "hrbench.suite.registry")
    assert wrong("hrbench.run", "hrbench.cli.command_line")
    assert wrong("hrbench.report.table", "hrbench.runner.evaluate")
    assert wrong("hrbench.store.keys", "hrbench.core.yaml")
    assert not wrong("hrbench.suite.load", "hrbench.core.yaml")
    assert not wrong("hrbench.cli.command_line", "hrbench.metrics.coco.matching")
    assert not wrong("hrbench.models.hrnet", "hrbench.models.layers.blocks")
    assert not wrong("hrbench.miniature.train.recipes", "hrbench.run")


def test_imports_inside_functions_are_read(tmp_path: Path):
    path = tmp_path / "m.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
        "from . import types\ndef f():\n    import hrbench.suite\n    from hrbench import places\n"
    )
    assert imported("hrbench.m", path) == {"typing", "hrbench.types", "hrbench.suite.load", "hrbench.core.resources"}
    assert imported("hrbench.m", path, top_only=True) == {"typing", "hrbench.types"}


def test_ground_floor_needs_the_standard_library_alone():
    for name in GROUND:
        module = f"hrbench.{name}"
        for target in imported(module, MODULES[module]):
            top = target.partition(".")[0]
            assert top in sys.stdlib_module_names or (top == "hrbench" and floor(part(target)) == 0), (module, target)


def is_torch(target: str) -> bool:
    return target.partition(".")[0] in ("torch", "torchvision")


@pytest.mark.parametrize("module", [module for module in MODULES if part(module) not in TORCH])
def test_torch_is_imported_where_networks_are(module: str):
    """At the top of a file in models, cost and miniature; inside functions of tasks, evaluate, run, environment too."""
    assert not any(map(is_torch, imported(module, MODULES[module], top_only=True)))
    if part(module) in ("metrics", "datasets", "report", "suite", "store", "catalog", "resolve"):
        assert not any(map(is_torch, imported(module, MODULES[module])))


def test_what_needs_no_network_starts_without_torch():
    parts = ("cli", "known", "suite", "catalog", "fetch", "resolve", "metrics", "datasets", "report", "store", "tasks")
    chosen = [module for module in MODULES if part(module) in parts]
    assert {"hrbench.suite.load", "hrbench.catalog"} <= set(chosen)
    code = "import importlib, sys\n" + "".join(f"importlib.import_module({module!r})\n" for module in chosen)
    code += "print([name for name in sys.modules if name.partition('.')[0] in ('torch', 'torchvision')][:3])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_only_the_command_line_prints_or_exits():
    for module, path in MODULES.items():
        if part(module) in ("cli", "__main__", "miniature"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "sys.exit", "exit", "quit", "os._exit"), f"{module} calls {called}"


def test_test_files_have_names_of_their_own():
    """pytest imports them by name alone, and refuses a second file of the same when all are run together."""
    files = [path.name for path in Path(__file__).parents[1].rglob("*.py") if path.name != "conftest.py"]
    assert sorted(files) == sorted(set(files))
