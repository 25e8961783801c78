"""Entry points and references: found as strings, imported only when resolved, failing in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from hrbench.core import plugins as module
from hrbench.core.plugins import arguments, exists, names, resolve
from hrbench.errors import EntryError, UsageError


def test_built_ins_are_entry_points():
    assert "pose_hrnet" in names("hrbench.models")
    assert names("models") == names("hrbench.models") == tuple(sorted(names("models")))
    assert names("hrbench.nothing") == ()


def test_exists():
    assert exists("hrbench.models", "pose_hrnet")
    assert not exists("hrbench.models", "pose_hrnt")
    assert exists("hrbench.models", "json:loads")
    assert not exists("hrbench.models", "no_such_module_anywhere:loads")


def test_references_are_resolved():
    assert resolve("hrbench.models", "json:loads") is json.loads
    assert resolve("hrbench.models", "pathlib:Path.cwd")() == Path.cwd()


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"^no model is called 'pose_hrnt'; did you mean pose_hrnet\?$"):
        resolve("models", "pose_hrnt")


def test_failing_import_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "failing_nets.py").write_text("raise RuntimeError('first\\nsecond')\n")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("failing", "failing_nets:net", "hrbench.models")
    monkeypatch.setattr(module, "_points", lambda group: {"failing": point})
    with pytest.raises(EntryError) as caught:
        resolve("models", "failing")
    expected = "model 'failing' (failing_nets:net) cannot be imported: RuntimeError: first second"
    assert str(caught.value) == expected


def test_a_script_that_ends_the_program_when_it_is_imported_is_no_exception(tmp_path: Path, monkeypatch):
    (tmp_path / "script_nets.py").write_text("raise SystemExit(4)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EntryError, match="cannot be imported: SystemExit: 4"):
        resolve("models", "script_nets:net")


def test_missing_attribute_is_named():
    with pytest.raises(EntryError, match=r"data set 'json:lods': module json has no 'lods'; did you mean loads\?"):
        resolve("datasets", "json:lods")


def test_arguments_of_entry_points():
    assert arguments("datasets", "coco-keypoints") == arguments(
        "datasets", "hrbench.datasets.coco_keypoints:CocoKeypointsDataset"
    )
    taken = arguments("models", "pose_hrnet")
    assert taken is not None and taken[:2] == ("width", "joints")
    assert arguments("models", "nothing") is None


def test_listing_imports_nothing():
    code = (
        "import sys; from hrbench.core.plugins import arguments, exists, names\n"
        "names('models'), exists('models', 'hrbench.models.hrnet:pose_hrnet'), arguments('models', 'pose_hrnet')\n"
        "print([m for m in sys.modules if m == 'torch' or m.startswith('hrbench.models')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_that_a_callable_cannot_take_are_named():
    def make(folder, sigmas=()):
        return tuple(map(float, sigmas))

    assert module.construct(make, "made", "f", sigmas=["1"]) == (1.0,)

    def switched(on: bool = False) -> bool:
        return on

    assert module.construct(switched, "made", on=True) and module.construct(list, "list") == []
    with pytest.raises(UsageError, match="made: on: true or false was expected, not 'no'"):
        module.construct(switched, "made", on="no")
    for sigmas, cause in ((5, "not iterable"), (["a"], "could not convert")):
        with pytest.raises(UsageError, match=rf"^made does not take these settings \(sigmas: .*\): .*{cause}"):
            module.construct(make, "made", "f", sigmas=sigmas)
