"""Whatever a file says, reading it gives a suite or one UsageError whose every line says where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hrbench.errors import UsageError
from hrbench.suite.load import load_suite
from hrbench.suite.registry import CostOptions
from hrbench.types import DatasetRow, Known, Suite, Variant


@dataclass(frozen=True)
class Settings:
    name: str = "n"
    version: int = 1
    flip: bool = True


KNOWN = Known(
    variants={"net_a": Variant("net_a", "net", "pose", (8, 8)), "seg_a": Variant("seg_a", "seg", "seg", (8, 8))},
    datasets={"val": DatasetRow("val", "people", "pose", ("ap",), {"split": "val"})},
    protocols={"pose": Settings},
    metrics=("ap",),
    exists=lambda group, name: name in ("net", "people"),
    arguments=lambda group, name, folders: ("root", "split") if name == "people" else None,
    costs=CostOptions(),
)

KEYS = """
suite title table defaults entries model models dataset datasets protocol metrics cost weights batch dtype seed name
base use args task input colour mean std operations latency budget split annotations images flip version
"""
NAMES = "net_a seg_a val net people pose ap float32 official none bgr self key - a/b .. ~ x: json:loads <<"
WORDS = st.sampled_from([*KEYS.split(), *NAMES.split()])
SCALARS = st.none() | st.booleans() | st.integers(-2, 9) | st.integers() | st.floats() | WORDS | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
MODELS = st.just("net_a") | st.fixed_dictionaries({}, optional={"base": st.just("net_a"), "args": VALUES, "use": WORDS})
ENTRIES = st.fixed_dictionaries(
    {"model": MODELS | VALUES},
    optional=dict.fromkeys(("dataset", "protocol", "metrics", "cost", "weights", "name", "models"), VALUES),
)
SUITES = st.fixed_dictionaries(
    {"suite": st.just("s") | VALUES},
    optional={
        "entries": st.lists(ENTRIES | VALUES, max_size=3),
        "models": st.lists(MODELS, max_size=2) | VALUES,
        "defaults": VALUES,
        "datasets": VALUES,
    },
)


def holds(path: Path, content: bytes, **options: Any) -> None:
    path.write_bytes(content)
    try:
        suite = load_suite(path, KNOWN, **options)
    except UsageError as error:
        for line in str(error).splitlines():
            assert line.startswith((f"{path}:", "--")), line
    else:
        assert isinstance(suite, Suite) and suite.entries
        assert len({entry.name for entry in suite.entries}) == len(suite.entries)


@given(st.text())
@example("suite: s\nentries: [{model: {base: net_a, args: {self: 1}}, self: 2, values: 3}]")
@example("%YAML 1.1\n---\nsuite: s")
@example("suite: !!set {a, b}")
@example("suite: !!binary x\nentries: !!omap [a: 1]")
@example('suite: s\nentries: [{model: net_a, weights: "a/\\0.pth"}]')
@example("suite: s\nentries: [{model: net_a, weights: " + "a/" * 3000 + "}]")
@example("? {a: 1}\n: b")
@example("\ufeffsuite: s\nmodels: [net_a]")
@example("suite: s\nmodels: [net_a]\r\ndatasets: [val]\x85")
def test_any_text(tmp_path: Path, text: str):
    holds(tmp_path / "s.yaml", text.encode("utf-8", "surrogatepass"))


@given(st.binary())
def test_any_bytes(tmp_path: Path, content: bytes):
    holds(tmp_path / "s.yaml", content)


def written(path: Path, content: Any) -> bytes:
    yaml = YAML(typ="safe", pure=True)
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(content, stream)
    return path.read_bytes()


@given(SUITES)
def test_any_mapping_that_looks_like_a_suite(tmp_path: Path, content: Any):
    holds(tmp_path / "s.yaml", written(tmp_path / "s.yaml", content))


@given(st.lists(st.lists(WORDS, min_size=1, max_size=3).map(".".join), max_size=2), st.text(max_size=12))
def test_any_override(tmp_path: Path, keys: list[str], value: str):
    text = b"suite: s\nentries: [{model: net_a, dataset: val}, {model: net_a, cost: {latency: false}}]"
    holds(tmp_path / "s.yaml", text, overrides=[f"{key}={value}" for key in keys])


def test_the_fuzz_reaches_suites_that_load(tmp_path: Path):
    """The strategies would prove little if nothing they draw were ever read to its end."""
    path = tmp_path / "s.yaml"
    path.write_bytes(written(path, {"suite": "s", "entries": [{"model": "net_a"}], "models": [{"base": "net_a"}]}))
    with pytest.raises(UsageError, match="asks for the same"):
        load_suite(path, KNOWN)
