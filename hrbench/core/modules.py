"""What a dotted name refers to, found without importing it: files, arguments."""

from __future__ import annotations

import ast
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def module_file(module: str, folders: Sequence[str | Path] = ()) -> str | None:
    """The file that the module "package.module" would be imported from; imports nothing.

    folders: searched before `sys.path`.

    Returns "built-in" if the module has no file, None if there is no such module. (`importlib.util.find_spec` would
    import the parent packages, and with them all that they import.)
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
        except Exception:  # a finder of a third party must not stop the reading of a suite
            continue
        if spec is not None:
            return spec
    return None


def source_files(module: str, folders: Sequence[str | Path] = ()) -> dict[str, Path]:
    """The source files of the module "package.module", by path relative to the folder they are imported from.

    An installed module is one file. A module that is not installed, for example next to a suite, stands for all .py
    files of its top-level package, and of each module, not installed either, that one of these files imports, also
    inside functions. An import by a computed name cannot be seen. Imports nothing.

    folders: searched before `sys.path`.

    Returns an empty mapping for modules of hrbench, and if there is no file.
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
    """All .py files of the top-level package that contains a module's file; only that file if there is no package.

    The module's own file counts even if it is of another type (a compiled module).
    """
    above = module.count(".") - 1 + (file.stem == "__init__")
    found = {_relative_path(module, file): file}
    if above < 0:
        return found
    top = file.parents[above]
    if top.name != module.partition(".")[0]:  # put there by a custom finder: its location says nothing
        return found
    for one in top.rglob("*.py"):
        below = one.relative_to(top.parent)
        if one.is_file() and not is_installed(one) and not any(part.startswith(".") for part in below.parts):
            found[below.as_posix()] = one
    return found


def _imports(file: Path) -> Iterator[str]:
    """Names in the absolute imports of a Python file that may be modules; none if it cannot be read as Python."""
    if file.suffix != ".py":
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # importing it gives a better error
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

    Returns None if they cannot be found: no Python source, **keywords, or anything but a `def`, a `class` that defines
    `__init__`, or a plain dataclass.

    >>> arguments("hrbench.core.text:suggestion")
    ('name', 'names')
    """
    module, _, attribute = reference.partition(":")
    file = module_file(module, folders)
    if file is None or not file.endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # importing it gives a better error
        return None
    definitions = [node for node in tree.body if getattr(node, "name", None) == attribute]
    if len(definitions) != 1:
        return None
    if isinstance(definitions[0], ast.FunctionDef):
        return None if definitions[0].decorator_list else _parameters(definitions[0], skip=0)
    if not isinstance(definitions[0], ast.ClassDef):
        return None
    for node in definitions[0].body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _parameters(node, skip=1)
    return _dataclass_fields(definitions[0])


def _parameters(function: ast.FunctionDef, skip: int) -> tuple[str, ...] | None:
    """Arguments that may be given by name; `skip` leaves out self."""
    if function.args.kwarg is not None:
        return None
    return tuple(argument.arg for argument in [*function.args.args[skip:], *function.args.kwonlyargs])


def _dataclass_fields(node: ast.ClassDef) -> tuple[str, ...] | None:
    """Fields of a dataclass that inherits from nothing."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    if node.bases or not any(name.partition("(")[0].endswith("dataclass") for name in decorators):
        return None
    return tuple(
        field.target.id
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    )
