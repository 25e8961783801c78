"""State shared while parsing one suite, and pydantic's errors in plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hrbench.core.modules import module_file
from hrbench.core.nested_args import is_network
from hrbench.core.plugins import model_ref, sources
from hrbench.core.remote.addresses import is_url, redact, split_url
from hrbench.core.text import suggestion
from hrbench.core.yaml import Node, Problems
from hrbench.errors import UsageError
from hrbench.suite.policy_schema import DAY, PERCENT
from hrbench.types import Known


@dataclass(frozen=True, slots=True)
class Context:
    """State shared while parsing one suite.

    known: the names of this installation.
    folder: of the suite file, absolute.
    problems: get every error.
    """

    known: Known
    folder: Path
    problems: Problems

    def exists(self, group: str, name: str) -> bool:
        if self.known.exists(group, name):
            return True
        module = model_ref(name).module
        return bool(module) and module_file(module, [self.folder]) is not None

    def networks(self) -> list[str]:
        """All values for `use` of a network, for suggestions; networks that are only parts of others included."""
        rows = self.known.variants.values()
        inner = {value["use"] for row in rows for value in row.args.values() if is_network(value)}
        return sorted({row.use for row in rows} | inner)

    def check_use(self, node: Node, group: str, names: Sequence[str], noun: str) -> bool:
        """Whether what `use` names exists; adds a problem otherwise.

        node: the value of `use`.
        group: of entry points.
        names: for suggestions.
        noun: what `use` names, for the message.
        """
        if self.exists(group, node.value):
            return True
        if module := model_ref(node.value).module:
            message = f"no module {module!r} beside the suite or installed"
            if group == "hrbench.models" and "did you mean" in (hint := suggestion(module, sources())):
                message += f"; {hint}"
        else:
            message = f"no {noun} is called {node.value!r}; {suggestion(node.value, names)}"
        self.problems.add(node, message)
        return False

    def check_arguments(self, args: Mapping[str, Node], group: str, use: str, beside: Sequence[str] = ()) -> None:
        """Adds a problem for each argument that `use` does not take, if its signature is known.

        args: name -> node.
        group: of entry points.
        use: the callable.
        beside: further keys that may stand beside the arguments, for the suggestion.
        """
        taken = self.known.arguments(group, use, [str(self.folder)])
        if taken is None:
            return
        taken = tuple(name for name in taken if name != "root")  # set by --data, never by a suite
        for name, node in args.items():
            if name not in taken:
                hint = suggestion(name, [*taken, *beside])
                self.problems.add(node, f"{use} takes no argument {name!r}; {hint}")

    def use(self, node: Node) -> str:
        """`use` with the path of a source's file made absolute, so that it means the same from anywhere."""
        ref = model_ref(node.value)
        if ref.path is None:
            return node.value
        path = self.path(Node(ref.path, node.source, node.line))
        return str(replace(ref, target=path, path=path))

    def address(self, node: Node) -> str:
        """The address of a file in an object store, as it is. Adds a problem for one that is not understood."""
        try:
            split_url(node.value)
        except UsageError as error:
            self.problems.add(node, str(error))
            return redact(node.value)
        return node.value

    def path(self, node: Node) -> str:
        """Absolute path of one relative to the suite file, or to the working folder for one of the command line.

        Adds a problem for an address: of files in an object store a suite names weights alone.
        """
        if is_url(node.value):
            told = f"{redact(node.value)}: a path was expected; addresses are for --data, --weights and `weights:`"
            self.problems.add(node, told)
        return str(((self.folder if node.line else Path.cwd()) / _expanded(node.value)).resolve())


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # "~nobody" is no home folder, so it is the name of a file
        return Path(text)


PATTERNS = {PERCENT: "must be a number, or a share such as 3%", DAY: "must be a day such as 2027-01-31"}
"""What is asked for in words, where it is not a name."""


def explain(error: Mapping[str, Any], value: Any) -> str:
    """An error of pydantic in plain words: "must be a valid integer, not 'abc'"."""
    message = str(error["msg"]).replace("Input should be", "must be").replace("String should", "must")
    if error["type"] == "too_short":
        return f"must have at least {error['ctx']['min_length']} values"
    if error["type"] == "too_long":
        return f"must have at most {error['ctx']['max_length']} values"
    if error["type"] == "string_pattern_mismatch":
        message = PATTERNS.get(
            error["ctx"]["pattern"],
            "must consist of letters, digits and . _ + - (it names a file), and begin with a letter or digit",
        )
    shown = json.dumps(value, ensure_ascii=False)
    return f"{message}, not {shown if len(shown) <= 60 else shown[:57] + '...'}"
