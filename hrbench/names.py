"""Names a person types: the nearest known one, and what lies behind a reference, without importing it."""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def suggestion(name: str, names: Iterable[str]) -> str:
    """What to say after "unknown name": the nearest known name, or all of them where they are few.

    >>> suggestion("pose_hrnt", ["pose_hrnet", "pose_resnet"])
    'did you mean pose_hrnet?'
    >>> suggestion("zebra", ["pose_hrnet", "pose_resnet"])
    'known: pose_hrnet, pose_resnet'
    """
    known = list(dict.fromkeys(names))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not near:  # a difference of case alone is further than difflib thinks
        near = [candidate for candidate in known if candidate.lower() == name.lower()]
    if near:
        return f"did you mean {near[0]}?"
    if not known:
        return "none is known"
    shown = sorted(known)[:12]
    more = f", ... ({len(known)} in all)" if len(known) > len(shown) else ""
    return f"known: {', '.join(shown)}{more}"


def is_reference(name: str) -> bool:
    """Whether `name` has the form "package.module:attribute".

    >>> is_reference("ourpkg.nets:pose"), is_reference("pose_hrnet")
    (True, False)
    """
    return _REFERENCE.fullmatch(name) is not None


def module_file(module: str, folders: Sequence[str | Path] = ()) -> str | None:
    """Where the module "package.module" would be imported from, or None where there is none; imports nothing.

    folders: looked through before `sys.path`. `importlib.util.find_spec` would import the parent packages, and with
    them whatever they import. The answer is the file, or "built-in" where there is no file.
    """
    parts = module.split(".")
    path: Sequence[str] | None = None
    for end in range(1, len(parts) + 1):
        spec = _find(".".join(parts[:end]), path, [str(folder) for folder in folders])
        if spec is None:
            break
        if end == len(parts):
            return spec.origin or "built-in"
        path = list(spec.submodule_search_locations or ())
    loaded = sys.modules.get(module)  # os.path, six.moves: modules that only their parents know
    return None if loaded is None else getattr(loaded, "__file__", None) or "built-in"


def _find(name: str, path: Sequence[str] | None, folders: Sequence[str]) -> ModuleSpec | None:
    """The spec of one level of a dotted name; `path` is where its parent's submodules lie, None at the top."""
    if path is None and folders:
        spec = PathFinder.find_spec(name, folders)
        if spec is not None:
            return spec
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except Exception:  # a stranger's finder must not stop the reading of a suite
            continue
        if spec is not None:
            return spec
    return None


def arguments(reference: str, folders: Sequence[str | Path] = ()) -> tuple[str, ...] | None:
    """Names of the arguments that "package.module:callable" takes, read from its source; imports nothing.

    None where that cannot be told: no Python source, **keywords, a callable made in another way than by `def`,
    `class` with an `__init__` of its own, or a plain dataclass.

    >>> arguments("hrbench.names:suggestion")
    ('name', 'names')
    """
    module, _, attribute = reference.partition(":")
    file = module_file(module, folders)
    if file is None or not file.endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # importing it will say so better
        return None
    made = [node for node in tree.body if getattr(node, "name", None) == attribute]
    if len(made) != 1:
        return None
    if isinstance(made[0], ast.FunctionDef):
        return None if made[0].decorator_list else _parameters(made[0], skip=0)
    if not isinstance(made[0], ast.ClassDef):
        return None
    for node in made[0].body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _parameters(node, skip=1)
    return _dataclass_fields(made[0])


def _parameters(function: ast.FunctionDef, skip: int) -> tuple[str, ...] | None:
    """Arguments that may be given by name; `skip` leaves out self."""
    if function.args.kwarg is not None:
        return None
    return tuple(argument.arg for argument in [*function.args.args[skip:], *function.args.kwonlyargs])


def _dataclass_fields(made: ast.ClassDef) -> tuple[str, ...] | None:
    """Fields of a dataclass that inherits from nothing."""
    decorators = [ast.unparse(decorator) for decorator in made.decorator_list]
    if made.bases or not any(name.partition("(")[0].endswith("dataclass") for name in decorators):
        return None
    return tuple(
        node.target.id for node in made.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    )
