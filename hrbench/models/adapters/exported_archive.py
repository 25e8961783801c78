"""Checks a file of torch.export.save for anything that torch would run while it reads the file. Needs no torch.

Such a file is a zip archive: a graph as JSON, and the numbers of its tensors. Beside these torch takes from it pickles
of any object, compiled libraries, sizes as text that SymPy evaluates, and operators named by any path within torch; a
file with any of those is refused. Only torch's own operators on tensors remain.
"""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hrbench.errors import InputError

GRAPHS = re.compile(r"(^|/)models/[^/]*\.json$|(^|/)serialized_exported_program\.json$")
COMPILED = re.compile(r"(^|/)aotinductor/|\.(so|o|cubin|dll|dylib|pyd)$")
NUMBERS = ("weight_", "tensor_")  # names of records that hold tensors
OPERATOR = re.compile(
    r"torch\.ops(\.[a-zA-Z_]\w*){2,3}|torch\._?sym_[a-z_]+|math\.[a-z]\w*"
    r"|_operator\.(?!call$|methodcaller$|attrgetter$|itemgetter$)[a-z]\w*"
)
NAME = re.compile(r"[\w.]*")
EXPRESSION = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.keyword,
    ast.Load, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


def check_archive(path: Path) -> None:
    """Raises InputError for a file that is damaged, no torch.export.save wrote, or that holds more than a program."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch looks at no checksums: a flipped bit would pass for a weight
            if damaged is not None:
                raise InputError(f"{path}: not a whole file of torch.export.save: {damaged} in it is damaged")
            _check_names(path, archive.namelist())
            graphs = [name for name in archive.namelist() if name.endswith(".json")]
            found = [reason for name in graphs for reason in _unsafe_parts(json.loads(archive.read(name)))]
    except (zipfile.BadZipFile, OSError, ValueError, RecursionError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{path}: not a whole file of torch.export.save (damaged?): {type(error).__name__}: {error}"
        ) from error
    if found:
        raise InputError(
            f"{path}: refused unread, because it holds more than a program of torch's operators: {found[0]}"
        )


def _check_names(path: Path, names: list[str]) -> None:
    if not any(map(GRAPHS.search, names)):
        what = "a file of torch.save or torch.jit.save" if any(name.endswith("data.pkl") for name in names) else "none"
        raise InputError(f"{path}: not a file of torch.export.save; it is {what}")
    compiled = next(filter(COMPILED.search, names), None)
    if compiled is not None:
        raise InputError(f"{path}: refused unread, because it holds compiled code ({compiled})")
    if len(set(names)) < len(names):
        raise InputError(f"{path}: refused unread, because it holds two records of one name")


def _unsafe_parts(value: Any) -> Iterator[str]:
    """What of a graph, or of a list of tensors, could run something, in words."""
    if isinstance(value, list):
        for item in value:
            yield from _unsafe_parts(item)
    elif isinstance(value, dict):
        yield from _unsafe_in(value)
        for key, item in value.items():
            if key != "metadata":  # told to people only: stack traces, names of modules
                yield from _unsafe_parts(item)


def _unsafe_in(mapping: dict[str, Any]) -> Iterator[str]:
    record = str(mapping.get("path_name", NUMBERS[0]))
    if not record.startswith(NUMBERS):
        yield f"the object {record}, a pickle"
    text = mapping.get("expr_str")
    if text is not None and not _is_size(text):
        yield f"the size {str(text)[:80]!r}"
    operators = [mapping[key] for key in ("target", "as_operator") if isinstance(mapping.get(key), str)]
    yield from (f"the operator {name[:80]!r}" for name in operators if not OPERATOR.fullmatch(name))
    names = [mapping["name"]] if isinstance(mapping.get("name"), str) else []
    names += list(mapping.get("tensor_values") or {})
    yield from (f"the name {name[:80]!r}" for name in names if not NAME.fullmatch(name))


def _is_size(text: Any) -> bool:
    """Whether a text is an expression of symbols, numbers and SymPy's functions, and of nothing else.

    >>> _is_size("2*Symbol('s7', positive=True) + FloorDiv(s1, 2)"), _is_size("__import__('os').getcwd()")
    (True, False)
    """
    try:
        tree = ast.parse(str(text).strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return all(isinstance(node, EXPRESSION) and _is_plain(node) for node in ast.walk(tree))


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):  # SymPy's and torch's are classes, except two; Python's own functions are not
        return isinstance(node.func, ast.Name) and (node.func.id[0].isupper() or node.func.id in ("floor", "ceiling"))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.fullmatch(r"[A-Za-z]\w*", node.value) is not None
    return True
