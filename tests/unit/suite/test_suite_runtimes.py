"""Runtimes as suites ask for them: what comes out, how entries are called, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from hrbench.core.plugins import exists
from hrbench.errors import UsageError
from hrbench.store.keys import content_key, prediction_key, probe_key
from hrbench.suite.load import load_suite
from hrbench.suite.registry import CostOptions, RuntimesTake, refused
from hrbench.types import Entry, Known, RuntimeSettings, Variant

NET = Variant("net", "pose_hrnet", "pose", (64, 48))
OTHER = Variant("other", "pose_hrnet", "pose", (96, 72))
KNOWN = Known(
    variants={row.name: row for row in (NET, OTHER)},
    datasets={},
    protocols={},
    metrics=(),
    exists=exists,
    costs=CostOptions(),
    runtimes=RuntimesTake(),
    refused=refused,
)


@pytest.fixture(autouse=True)
def without_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrbench.suite.entries.protocol", lambda *given: {})


def load(folder: Path, entries: str, **options) -> tuple[Entry, ...]:
    text = dedent(entries).strip("\n")
    (folder / "s.yaml").write_text(f"suite: s\n{text}\n", encoding="utf-8")
    return load_suite(folder / "s.yaml", KNOWN, **options).entries


def one(folder: Path, runtime: str, **options) -> RuntimeSettings:
    (entry,) = load(folder, f"entries: [{{model: net, runtime: {runtime}}}]", **options)
    return entry.runtime


def errors(folder: Path, entries: str, **options) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, entries, **options)
    return str(caught.value).replace(str(folder / "s.yaml"), "s")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("eager", RuntimeSettings()),
        ("{name: eager, channels_last: false, fused_bn: false}", RuntimeSettings()),
        ("{threads: 2}", RuntimeSettings(threads=2)),
        ("{tf32: false}", RuntimeSettings(tf32=False)),
        ("compile", RuntimeSettings("compile")),
        ("{name: compile, mode: default, fused_bn: true}", RuntimeSettings("compile", "default", fused_bn=True)),
        ("{name: onnxruntime, provider: P, threads: 1}", RuntimeSettings("onnxruntime", provider="P", threads=1)),
    ],
)
def test_a_name_or_its_settings(tmp_path: Path, text: str, settings: RuntimeSettings):
    assert one(tmp_path, text) == settings


def test_a_matrix_of_models_and_runtimes(tmp_path: Path):
    found = load(tmp_path, """
        models: [net, other]
        runtimes: [eager, compile, {fused_bn: true, threads: 1}, {name: compile, mode: max-autotune}]
    """)  # fmt: skip
    names = ["", "-compile", "-fused_bn-threads-1", "-compile-max-autotune"]
    assert [entry.name for entry in found] == [f"{model}{name}" for model in ("net", "other") for name in names]
    assert [entry.runtime.name for entry in found[:4]] == ["eager", "compile", "eager", "compile"]


def test_a_name_is_of_one_entry(tmp_path: Path):
    told = errors(tmp_path, "entries: [{model: net, name: mine, runtimes: [eager, compile]}]")
    assert told.startswith("s:2: name 'mine' is of one entry, and this makes several (2 runtimes): name the network")
    told = errors(tmp_path, "entries: [{models: [net, other], name: mine, runtimes: [eager, compile]}]")
    assert "several (2 models, 2 runtimes): leave it out" in told
    (entry,) = load(tmp_path, "entries: [{model: net, name: mine, runtimes: [compile]}]")
    assert entry.name == "mine"


def test_a_mode_or_number_of_threads_that_no_machine_takes(tmp_path: Path):
    told = errors(tmp_path, "entries: [{model: net, runtime: {name: compile, mode: max-autotuned}}]")
    assert told.startswith("s:2: torch.compile has no mode 'max-autotuned'; did you mean max-autotune")
    assert "1024" in errors(tmp_path, "entries: [{model: net, runtime: {threads: 1025}}]")


def test_the_name_says_the_runtime_whatever_comes_first(tmp_path: Path):
    found = load(tmp_path, "entries: [{model: net, runtimes: [compile, eager]}]")
    assert [entry.name for entry in found] == ["net-compile", "net"]


def test_defaults_are_laid_under_settings_of_the_same_runtime_only(tmp_path: Path):
    found = load(tmp_path, """
        defaults: {runtime: {name: compile, mode: max-autotune, threads: 2}}
        entries:
          - model: net
            runtimes: [{channels_last: true}, compile, eager, {name: eager, threads: 1}]
          - model: other
    """)  # fmt: skip
    assert [entry.runtime for entry in found] == [
        RuntimeSettings("compile", "max-autotune", threads=2, channels_last=True),
        RuntimeSettings("compile", "max-autotune", threads=2),
        RuntimeSettings(threads=2),
        RuntimeSettings(threads=1),
        RuntimeSettings("compile", "max-autotune", threads=2),
    ]


def test_overrides(tmp_path: Path):
    assert one(tmp_path, "compile", overrides=["runtime.threads=2"]) == RuntimeSettings("compile", threads=2)
    assert one(tmp_path, "compile", overrides=["runtime=eager"]) == RuntimeSettings()
    assert "runtimes cannot be the same for every entry" in errors(
        tmp_path, "entries: [{model: net}]", overrides=["runtimes=[eager]"]
    )


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        ("compiled", "s:2: no runtime is called 'compiled'; did you mean compile?"),
        ("{name: eager, mode: max-autotune}", "s:2: runtime eager does not take mode; it takes channels_last"),
        ("{name: onnxruntime, channels_last: true}", "s:2: runtime onnxruntime does not take channels_last; it takes"),
        ("{thread: 1}", "s:2: unknown key 'thread'; did you mean threads?"),
        ("{threads: 0}", "runtime.threads must be"),
        ("{threads: two}", "runtime.threads must be a valid integer"),
        ("own", "s:2: net is no file (onnx:, exported:), which own is for: leave runtime own out"),
        ("3", "runtime must be a name or a mapping"),
    ],
)
def test_what_is_refused(tmp_path: Path, runtime: str, said: str):
    assert said in errors(tmp_path, f"entries: [{{model: net, runtime: {runtime}}}]")


def test_lists_go_with_models(tmp_path: Path):
    assert "`runtimes:` at the top goes with `models:`" in errors(
        tmp_path, "runtimes: [eager]\nentries: [{model: net}]"
    )
    assert "give either runtime or runtimes" in errors(
        tmp_path, "entries: [{model: net, runtime: eager, runtimes: [compile]}]"
    )
    assert "runtimes must be a list" in errors(tmp_path, "entries: [{model: net, runtimes: eager}]")


def test_a_file_brings_its_own(tmp_path: Path):
    file = "{use: 'onnx:net.onnx', task: pose, input: [64, 48]}"
    (entry,) = load(tmp_path, f"entries: [{{model: {file}}}]")
    assert entry.runtime == RuntimeSettings("own") and entry.runtime.stated() == {}
    (entry,) = load(tmp_path, f"entries: [{{model: {file}, runtime: {{name: own, threads: 1}}}}]")
    assert entry.runtime == RuntimeSettings("own", threads=1)
    said = errors(tmp_path, f"entries: [{{model: {file}, runtime: compile}}]")
    assert "is a file, which brings its own runtime: leave runtime compile out" in said


def test_keys_hold_a_runtime_and_leave_eager_out():
    entry = Entry("e", NET, None, {}, (), {})
    probe = {"probe": "latency", "version": 1, "options": {}, "measured_with": {}}

    def keys(settings: RuntimeSettings) -> tuple[str, ...]:
        changed = replace(entry, runtime=settings)
        return (
            prediction_key(changed, "w", "d"),
            probe_key(changed, **probe, runtime=settings.stated()),
            content_key(changed),
        )

    plain = keys(RuntimeSettings())
    assert plain == keys(RuntimeSettings("own")) and plain[1] == probe_key(entry, **probe)
    # the key of this entry before there were runtimes
    assert plain[0] == "1471848073dfbd47145ae6eb663ab782aee2949416187d66667e31e4dd13ef1b"
    assert prediction_key(entry, "w", "d", runtime_version=2) != plain[0] != prediction_key(entry, "w", "e")
    assert probe_key(entry, **probe, runtime_version=2) != plain[1]
    others = [
        RuntimeSettings("compile"), RuntimeSettings("compile", "max-autotune"), RuntimeSettings(channels_last=True),
        RuntimeSettings(fused_bn=True), RuntimeSettings(tf32=True), RuntimeSettings(tf32=False),
        RuntimeSettings(threads=1), RuntimeSettings(threads=2), RuntimeSettings("onnxruntime"),
        RuntimeSettings("onnxruntime", provider="CUDAExecutionProvider"),
    ]  # fmt: skip
    every = [plain, *map(keys, others)]
    assert all(len({each[i] for each in every}) == len(every) for i in range(3))


def test_a_file_of_predictions_has_none(tmp_path: Path):
    said = errors(tmp_path, "entries: [{predictions: p.json, dataset: none, runtimes: [eager]}]")
    assert "no runtime makes it" in said
