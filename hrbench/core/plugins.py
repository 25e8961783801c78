"""Names a person types: the nearest known one, and what lies behind a reference, without importing it."""

from __future__ import annotations

import ast
import difflib
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
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
    """Whether `name` has the form "package.module:attribute" and what stands before the colon is no source.

    >>> is_reference("ourpkg.nets:pose"), is_reference("pose_hrnet"), is_reference("timm:hrnet_w18")
    (True, False, False)
    """
    return _REFERENCE.fullmatch(name) is not None and source_of(name) is None


# Sources whose networks are files; of other sources a name that begins like a path is one.
FILE_SOURCES = ("onnx", "exported")


@cache
def sources() -> dict[str, str]:
    """Source of networks -> its callable as "module:attribute": the entry points of hrbench.sources. Imports nothing.

    A source goes before a module of the same name.
    """
    return {point.name: point.value for point in entry_points(group="hrbench.sources")}


def source_of(use: str) -> tuple[str, str] | None:
    """A source and what it is asked for, None where what stands before the colon is no source.

    >>> source_of("timm:hrnet_w18"), source_of("ourpkg.nets:pose")
    (('timm', 'hrnet_w18'), None)
    """
    source, colon, asked = use.partition(":")
    return (source, asked) if colon and asked and source in sources() else None


def source_path(use: str) -> Path | None:
    """The file or folder that a source is asked for, None where it is asked for a name.

    >>> source_path("onnx:nets/pose.onnx").as_posix(), source_path("transformers:./vitpose").as_posix()
    ('nets/pose.onnx', 'vitpose')
    >>> source_path("transformers:usyd-community/vitpose-base") is None
    True
    """
    found = source_of(use)
    if found is None:
        return None
    source, asked = found
    return Path(asked) if source in FILE_SOURCES or asked.startswith(("./", "../", "/", "~")) else None


def short_name(use: str) -> str:
    """What a network is called by its `use` alone: the last part of a name, a file's without its ending.

    >>> short_name("ourpkg.nets:pose"), short_name("onnx:nets/pose.onnx"), short_name("transformers:org/vitpose-base")
    ('pose', 'pose', 'vitpose-base')
    """
    path, found = source_path(use), source_of(use)
    if path is not None:
        return path.stem if path.suffix in (".onnx", ".pt2") else path.name
    return found[1].rpartition("/")[2] if found is not None else use.rpartition(":")[2].rpartition(".")[2]


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


def own_files(module: str, folders: Sequence[str | Path] = ()) -> dict[str, Path]:
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
        if name.partition(".")[0] == __package__:
            continue
        text = module_file(name, folders)
        if text is None or not Path(text).is_file():
            continue
        file = Path(text).absolute()
        if is_installed(file):
            if name == module:
                found[_below(name, file)] = file
            continue
        if _below(name, file) in found:
            continue
        for relative, one in _whole(name, file).items():
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


def _below(module: str, file: Path) -> str:
    """The path of a module's file below the folder it is imported from: "package/module.py"."""
    return "/".join(file.parts[-len(module.split(".")) - (file.stem == "__init__") :])


def _whole(module: str, file: Path) -> dict[str, Path]:
    """All .py files of the top-level package that a module's file lies in; that file alone where there is no package.

    A file of another kind (a compiled module) counts besides.
    """
    above = module.count(".") - 1 + (file.stem == "__init__")
    found = {_below(module, file): file}
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
