"""Suggestions, and looking at modules without importing them."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from hrbench.core.modules import arguments, module_file, source_files
from hrbench.core.plugins import model_ref, networks
from hrbench.core.text import suggestion
from hrbench.types import ModelRef


def test_suggestion_names_the_nearest():
    assert suggestion("pose_hrnt", ["pose_hrnet", "pose_resnet"]) == "did you mean pose_hrnet?"
    assert suggestion("POSE", ["pose"]) == "did you mean pose?"


def test_suggestion_lists_all_where_none_is_near():
    assert suggestion("zebra", ["b", "a", "b"]) == "known: a, b"
    assert suggestion("zebra", []) == "none is known"
    assert suggestion("zebra", [f"n{i:02}" for i in range(40)]).endswith("n11, ... (40 in all)")


@pytest.mark.parametrize("name", ["a:b", "a.b.c:d", "a:B.c"])
def test_references(name: str):
    ref = model_ref(name)
    assert ref.kind == "reference" and ref.module == name.partition(":")[0] and ref.path is None


@pytest.mark.parametrize("name", ["a", "a.b", ":a", "a:", "a b:c", "a:b:c", "C:/x", "1a:b", "a..b:c"])
def test_not_references(name: str):
    assert model_ref(name) == ModelRef("entry_point", name) and not model_ref(name).module


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package that must not be imported."""
    folder = tmp_path / "strangers"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "nets.py").write_text(
        "raise RuntimeError('imported')\n"
        "def plain(width=3, *, depth): ...\n"
        "def open_ended(width, **rest): ...\n"
        "@cache\ndef decorated(width): ...\n"
        "class Own:\n    def __init__(self, root, split='a'): ...\n"
        "class Bare: ...\n"
        "@dataclass(frozen=True)\nclass Data:\n    root: str\n    split: str = 'a'\n"
        "class Child(Own): ...\n"
    )
    return tmp_path


def test_module_is_found_without_importing_it(package: Path):
    before = set(sys.modules)
    assert module_file("strangers.nets", [package]) == str(package / "strangers" / "nets.py")
    assert module_file("strangers.absent", [package]) is None
    assert module_file("strangers.nets.deeper", [package]) is None
    assert module_file("strangers.nets") is None
    assert set(sys.modules) == before


def test_modules_of_every_kind_are_found():
    for module in ("sys", "json", "json.decoder", "os.path", "hrbench.types", "numpy.linalg"):
        assert module_file(module) is not None, module
    assert module_file("no_such_module_anywhere.x") is None


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("plain", ("width", "depth")),
        ("open_ended", None),
        ("decorated", None),
        ("Own", ("root", "split")),
        ("Data", ("root", "split")),
        ("Bare", None),
        ("Child", None),
        ("absent", None),
    ],
)
def test_arguments_come_from_the_source(package: Path, name: str, taken: tuple[str, ...] | None):
    assert arguments(f"strangers.nets:{name}", [package]) == taken


def test_arguments_of_what_is_no_python_source(tmp_path: Path):
    (tmp_path / "broken_source.py").write_text("def (:\n")
    assert arguments("broken_source:x", [tmp_path]) is None
    assert arguments("sys:exit") is None
    assert arguments("no_such_module_anywhere:x") is None


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_own_files_of_a_module_are_its_package_and_what_that_imports(tmp_path: Path):
    written(
        tmp_path,
        {
            "spacepkg/nets.py": "from spacepkg.deep import blocks\nimport besides.part, numpy, hrbench.names\n",
            "spacepkg/deep/blocks.py": "from . import more\n",
            "spacepkg/deep/broken.py": "def (",
            "spacepkg/env/lib/site-packages/other.py": "",
            "besides/__init__.py": "",
            "besides/part.py": "import spacepkg.nets\nraise RuntimeError('imported')\n",
            "apart.py": "",
        },
    )
    assert list(source_files("spacepkg.nets", [tmp_path])) == [
        "besides/__init__.py", "besides/part.py", "spacepkg/deep/blocks.py", "spacepkg/deep/broken.py",
        "spacepkg/nets.py",
    ]  # fmt: skip
    assert source_files("apart", [tmp_path]) == {"apart.py": tmp_path / "apart.py"}
    assert not {"spacepkg", "besides", "apart"} & set(sys.modules)


def test_own_files_of_what_is_installed_are_the_module_alone(tmp_path: Path):
    folder = written(
        tmp_path / "site-packages", {"theirs/__init__.py": "", "theirs/nets.py": "import other", "other.py": ""}
    )
    assert source_files("theirs.nets", [folder]) == {"theirs/nets.py": folder / "theirs/nets.py"}
    assert list(source_files("json.decoder")) == ["json/decoder.py"]


@pytest.mark.parametrize("module", ["hrbench.core.plugins", "sys", "nowhere_to_be_found"])
def test_modules_without_own_files(module: str):
    assert source_files(module) == {}


def test_folders_without_init_are_packages_at_any_depth(tmp_path: Path):
    written(tmp_path, {"outer_n/inner_n/deep_n/nets.py": "", "outer_n/inner_n/other.py": ""})
    assert module_file("outer_n.inner_n.deep_n.nets", [tmp_path]) == str(tmp_path / "outer_n/inner_n/deep_n/nets.py")
    assert module_file("outer_n.inner_n.deep_n", [tmp_path]) == "built-in"
    assert module_file("outer_n.inner_n.absent.nets", [tmp_path]) is None
    assert len(source_files("outer_n.inner_n.deep_n.nets", [tmp_path])) == 2


def test_a_source_goes_before_a_module_of_its_name():
    assert model_ref("timm:hrnet_w18.ms_aug_in1k") == ModelRef("source", "hrnet_w18.ms_aug_in1k", "timm")
    assert model_ref("onnx:net.onnx") == ModelRef("source", "net.onnx", "onnx", "net.onnx")
    assert [model_ref(use).kind for use in ("timm", "timm:", "tim:hrnet_w18")] == ["entry_point"] * 2 + ["reference"]


@pytest.mark.parametrize(
    ("use", "path"),
    [
        ("onnx:net.onnx", "net.onnx"),
        ("exported:nets/a:b.pt2", "nets/a:b.pt2"),
        ("transformers:./folder", "./folder"),
        ("transformers:/models/vit", "/models/vit"),
        ("transformers:~/vit", "~/vit"),
        ("transformers:org/vit", None),
        ("timm:resnet18", None),
        ("ourpkg.nets:pose", None),
    ],
)
def test_paths_of_sources(use: str, path: str | None):
    ref = model_ref(use)
    assert ref.path == path and str(ref) == use
    assert msgspec.json.decode(msgspec.json.encode(ref), type=ModelRef) == ref


def test_short_names_keep_what_tells_networks_apart():
    assert model_ref("timm:hrnet_w18.ms_aug_in1k").short_name == "hrnet_w18.ms_aug_in1k"
    assert model_ref("exported:/a/b.v2.pt2").short_name == "b.v2"
    assert model_ref("transformers:./vit.b").short_name == "vit.b"
    assert model_ref("ourpkg.nets:pose").short_name == "pose" and model_ref("pose_hrnet").short_name == "pose_hrnet"


def test_the_text_of_a_name_comes_back_whatever_it_is():
    for use in ("", "pose_hrnet", "a.b:c.d", "timm:x:y", "onnx:../a b/ö.onnx", "a:b:c", "C:/x", "transformers:~/vit"):
        assert str(model_ref(use)) == use and model_ref(use) is model_ref(use)


def test_networks_among_arguments_are_named_however_deep():
    inner = {"use": "timm:resnet18", "args": {"stem": {"use": "ourpkg.nets:stem"}, "depth": 2}}
    found = [str(ref) for ref in networks("mask_rcnn", {"backbone": inner, "classes": 3})]
    assert found == ["mask_rcnn", "timm:resnet18", "ourpkg.nets:stem"]
