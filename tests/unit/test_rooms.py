"""The table of rooms: floors, what a room never imports, and that what needs no network starts without torch."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "hrbench"

FLOORS = (
    "types errors version statistics",
    "core contracts",
    "formats catalog store cost",
    "models datasets tasks metrics suite judge",
    "runner report fetch miniature",
    "ci serve hrbench",  # hrbench is the package's own face, __init__
    "cli",
    "__main__",
)
"""The rooms, lowest first. A room imports from lower floors only, so rooms of one floor do not know one another."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}

LOOSE = {"errors", "version", "__init__", "__main__"}
"""The only modules that lie at the top, in no room."""

NEVER: dict[str, str] = {
    "statistics": "types errors version",  # pure functions on arrays
    "core": "contracts",
    "types": "errors version statistics",
    "errors": "types version statistics",
    "formats": "metrics datasets tasks models torch",
    "metrics": "datasets tasks models torch",
    "datasets": "metrics tasks models torch",
    "tasks": "metrics datasets models",
    "catalog": "torch",
    "cost": "models",  # it is handed a callable
    "judge": "runner report models tasks torch",
    "report": "runner models torch miniature",
    "store": "runner report torch",
    "suite": "runner torch",
    "fetch": "runner report torch",
    "runner": "report cli ci miniature",
    "ci": "cli torch",
    "serve": "cli models datasets tasks metrics suite runner fetch miniature torch",  # it shows what is stored
}
"""Room -> what it never imports, though some of it lies on a lower floor: rooms, and torch (with torchvision)."""

ANYWHERE = "cli ci serve miniature"
"""What no room imports: a miniature is named by the catalog's string alone. cli may import ci, serve, __main__ cli."""

TORCH_AT_THE_TOP = {"models", "cost", "miniature"}

MEANT: dict[tuple[str, str], str] = {}
"""(module, target) -> why this import inside a function may break the rules. Empty today: each one needs a reason."""


def room(module: str) -> str:
    """The room of a module of hrbench, or its own name if it lies at the top."""
    return module.split(".")[1] if "." in module else "hrbench"


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


def is_torch(target: str) -> bool:
    return target.partition(".")[0] in ("torch", "torchvision")


def wrong(module: str, target: str) -> str:
    """Why `module` may not import `target`, or ""."""
    mine = room(module)
    if (module, target) in MEANT:
        return ""
    if is_torch(target):
        return (
            f"{module} imports {target}: {mine} never imports torch" if "torch" in NEVER.get(mine, "").split() else ""
        )
    if target.partition(".")[0] != "hrbench" or mine == room(target):
        return ""
    other = room(target)
    if FLOOR[other] > FLOOR[mine]:
        return f"{module} imports {target}, which is above it"
    if FLOOR[other] == FLOOR[mine]:
        return f"{module} imports {target}: rooms of one floor do not import one another"
    if other in NEVER.get(mine, "").split():
        return f"{module} imports {target}: {mine} never imports {other}"
    if other in ANYWHERE.split() and (mine, other) not in {("cli", "ci"), ("cli", "serve"), ("__main__", "cli")}:
        return f"{module} imports {target}: nothing imports {other}"
    return ""


def test_every_module_has_a_room():
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == LOOSE
    assert {room(module) for module in MODULES} <= set(FLOOR)


def test_the_rooms_are_those_of_the_contributing_guide():
    """Each room that exists has a sentence there, and no sentence speaks of a room that does not exist."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    told = set(re.findall(r"^\| `(\w+)/` \|", text, re.M))
    assert told == {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str):
    reasons = [wrong(module, target) for target in imported(module, MODULES[module])]
    assert not [reason for reason in reasons if reason]


def test_what_is_meant_is_still_there():
    for (module, target), reason in MEANT.items():
        assert reason
        assert target in imported(module, MODULES[module])


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


def test_a_forbidden_import_would_be_seen():
    """The rule is worth something only if it refuses what it should."""
    assert wrong("hrbench.types", "hrbench.suite.load")
    assert wrong("hrbench.metrics.coco.matching", "hrbench.datasets.coco_keypoints")
    assert wrong("hrbench.datasets.coco_keypoints", "hrbench.runner.prepare")
    assert wrong("hrbench.runner.suite", "hrbench.cli.command_line")
    assert wrong("hrbench.report.table", "hrbench.runner.evaluate")
    assert wrong("hrbench.report.table", "hrbench.models.build")
    assert wrong("hrbench.store.keys", "hrbench.formats.labels")
    assert wrong("hrbench.cost.latency.measure", "hrbench.models.build")
    assert wrong("hrbench.runner.prepare", "hrbench.miniature.generate.pose_datasets")
    assert wrong("hrbench.statistics.bootstrap", "hrbench.errors")
    assert wrong("hrbench.core.files", "hrbench.contracts")
    assert wrong("hrbench.judge.comparability", "torch")
    assert not wrong("hrbench.suite.load", "hrbench.core.yaml")
    assert not wrong("hrbench.cli.command_line", "hrbench.metrics.coco.matching")
    assert not wrong("hrbench.models.hrnet", "hrbench.models.layers.blocks")
    assert not wrong("hrbench.miniature.train.recipes", "hrbench.models.build")
    assert not wrong("hrbench.__main__", "hrbench.cli.command_line")


def test_imports_inside_functions_are_read(tmp_path: Path):
    path = tmp_path / "m.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
        "from . import types\ndef f():\n    import hrbench.suite.load\n    from hrbench.core import files\n"
    )
    assert imported("hrbench.m", path) == {"typing", "hrbench.types", "hrbench.suite.load", "hrbench.core.files"}
    assert imported("hrbench.m", path, top_only=True) == {"typing", "hrbench.types"}


def test_the_ground_floor_needs_the_standard_library_alone():
    ground = [module for module in MODULES if room(module) in ("types", "errors", "contracts", "version")]
    assert {"hrbench.types.conditions", "hrbench.contracts.costs", "hrbench.errors"} <= set(ground)
    for module in ground:
        for target in imported(module, MODULES[module]):
            top = target.partition(".")[0]
            assert top in sys.stdlib_module_names or top == "hrbench", (module, target)


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) not in TORCH_AT_THE_TOP])
def test_torch_is_imported_where_networks_are(module: str):
    """At the top of a file in models, cost and miniature; elsewhere inside functions, if at all."""
    assert not any(map(is_torch, imported(module, MODULES[module], top_only=True)))


def test_what_needs_no_network_starts_without_torch():
    rooms = set(FLOOR) - TORCH_AT_THE_TOP - {"__main__"}
    chosen = [module for module in MODULES if room(module) in rooms]
    assert {"hrbench.suite.load", "hrbench.catalog"} <= set(chosen)
    code = "import importlib, sys\n" + "".join(f"importlib.import_module({module!r})\n" for module in chosen)
    code += "print([name for name in sys.modules if name.partition('.')[0] in ('torch', 'torchvision')][:3])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_only_the_command_line_prints_or_exits():
    for module, path in MODULES.items():
        if room(module) in ("cli", "__main__", "miniature"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called == "os._exit" and module.startswith("hrbench.runner.executors."):
                continue  # the end of a process that runs a single job and returns to nobody
            assert called not in ("print", "sys.exit", "exit", "quit", "os._exit"), f"{module} calls {called}"


def test_test_files_have_names_of_their_own():
    """pytest imports them by name alone, and refuses a second file of the same when all are run together."""
    files = [path.name for path in Path(__file__).parents[1].rglob("*.py") if path.name != "conftest.py"]
    assert sorted(files) == sorted(set(files))
