"""What lies behind a dotted name, told without importing it: files, arguments."""

from __future__ import annotations

import ast
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def module_file(module: str, folders: Sequence[str | Path] = ()) -> str | None:
    """Where the module "package.module" would be imported from, or None where there is none; imports nothing.

    folders: looked through before `sys.path`. `importlib.util.find_spec` would import the parent packages, and with
    them whatever they import. The answer is the file, or "built-in" where there is no file.
    """
    parts = module.split(".")
    path: Sequence[str] | None = None
    for end in range(1, len(parts) + 1):
        spec = _find(".".join(parts[:end]), path, [str(folder) for folder in folders])
        if spec is None:  # PathFinder looks for a folder without __init__.py in another only after importing that one
            path = [str(below) for place in path or () if (below := Path(place) / parts[end - 1]).is_dir()]
            if not path:
                break
            if end == len(parts):
                return "built-in"
            continue
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


def source_files(module: str, folders: Sequence[str | Path] = ()) -> dict[str, Path]:
    """The files whose code the module "package.module" stands for, by path below where they are imported from.

    An installed module is its own file. One that is not, such as what lies beside a suite, is every .py file of its
    top-level package, and the same of each module not installed that one of these files imports, within functions too;
    what is imported by a computed name cannot be seen. Empty for modules of hrbench, and where there is no file.
    Imports nothing. folders: looked through before `sys.path`.
    """
    found: dict[str, Path] = {}
    queue, seen = [module], {module}
    while queue:
        name = queue.pop()
        if name.partition(".")[0] == "hrbench":
            continue
        text = module_file(name, folders)
        if text is None or not Path(text).is_file():
            continue
        file = Path(text).absolute()
        if is_installed(file):
            if name == module:
                found[_relative_path(name, file)] = file
            continue
        if _relative_path(name, file) in found:
            continue
        for relative, one in _package_files(name, file).items():
            if relative not in found:
                found[relative] = one
                more = [new for new in _imports(one) if new not in seen]
                seen.update(more)
                queue.extend(more)
    return dict(sorted(found.items()))


def is_installed(file: Path) -> bool:
    """Whether a file lies in an environment's folder of packages, or in Python's own library.

    >>> is_installed(Path(ast.__file__)), is_installed(Path("ourpkg/nets.py"))
    (True, False)
    """
    file = file.absolute()
    if {"site-packages", "dist-packages"} & set(file.parts):
        return True
    return file.is_relative_to(sysconfig.get_path("stdlib"))


def _relative_path(module: str, file: Path) -> str:
    """The path of a module's file below the folder it is imported from: "package/module.py"."""
    return "/".join(file.parts[-len(module.split(".")) - (file.stem == "__init__") :])


def _package_files(module: str, file: Path) -> dict[str, Path]:
    """All .py files of the top-level package that a module's file lies in; that file alone where there is no package.

    A file of another kind (a compiled module) counts besides.
    """
    above = module.count(".") - 1 + (file.stem == "__init__")
    found = {_relative_path(module, file): file}
    if above < 0:
        return found
    top = file.parents[above]
    if top.name != module.partition(".")[0]:  # put there by a finder of its own: how it lies tells nothing
        return found
    for one in top.rglob("*.py"):
        below = one.relative_to(top.parent)
        if one.is_file() and not is_installed(one) and not any(part.startswith(".") for part in below.parts):
            found[below.as_posix()] = one
    return found


def _imports(file: Path) -> Iterator[str]:
    """Names that the absolute imports of a Python file may be modules by; none where it cannot be read as Python."""
    if file.suffix != ".py":
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # importing it will say so better
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] not in sys.stdlib_module_names)


def arguments(reference: str, folders: Sequence[str | Path] = ()) -> tuple[str, ...] | None:
    """Names of the arguments that "package.module:callable" takes, read from its source; imports nothing.

    None where that cannot be told: no Python source, **keywords, a callable made in another way than by `def`,
    `class` with an `__init__` of its own, or a plain dataclass.

    >>> arguments("hrbench.core.text:suggestion")
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
