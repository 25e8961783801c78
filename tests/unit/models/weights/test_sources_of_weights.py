from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from memory_store import memory_store

from hrbench.catalog import variants
from hrbench.core.remote import mirror
from hrbench.models.weights import sources
from hrbench.models.weights.sources import WeightsFile, find_weights, stated_source
from hrbench.types import Missing, Variant

ADDRESS = "https://models.example/pose/hrnet_w32-c78dce93.pth"


def variant(**weights: str) -> Variant:
    return Variant("pose_hrnet_x", use="pose_hrnet", task="pose", input=(256, 192), weights=weights)


def test_left_out_means_the_first_source_that_is_there(tmp_path: Path) -> None:
    row = variant(official="a.pth", openmmlab=ADDRESS)
    (tmp_path / "hrnet_w32-c78dce93.pth").touch()
    assert find_weights(row, None, tmp_path) == WeightsFile(tmp_path / "hrnet_w32-c78dce93.pth", "openmmlab")
    (tmp_path / "a.pth").touch()
    assert find_weights(row, None, tmp_path) == WeightsFile(tmp_path / "a.pth", "official")
    assert find_weights(row, "openmmlab", tmp_path) == WeightsFile(tmp_path / "hrnet_w32-c78dce93.pth", "openmmlab")


def test_a_named_source_is_not_replaced_by_another(tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    reason = find_weights(variant(official="a.pth", openmmlab=ADDRESS), "openmmlab", tmp_path)
    assert isinstance(reason, Missing)
    assert f"{tmp_path / 'hrnet_w32-c78dce93.pth'} is not there (openmmlab: get it from {ADDRESS})" in str(reason)
    assert "a.pth" not in str(reason)


def test_a_file_may_lie_below_the_folder_or_in_it(tmp_path: Path) -> None:
    row = variant(official="pose_coco/a.pth")
    (tmp_path / "a.pth").touch()
    assert find_weights(row, None, tmp_path) == WeightsFile(tmp_path / "a.pth", "official")
    (tmp_path / "pose_coco").mkdir()
    (tmp_path / "pose_coco" / "a.pth").touch()
    assert find_weights(row, None, tmp_path) == WeightsFile(tmp_path / "pose_coco" / "a.pth", "official")


def test_the_reason_says_what_where_and_whence(tmp_path: Path) -> None:
    reason = find_weights(variant(official="a.pth", shipped="b.safetensors"), None, tmp_path)
    assert isinstance(reason, Missing)
    assert "\n" not in str(reason)
    assert str(tmp_path / "a.pth") in str(reason)
    assert "the model zoo of github.com/leoxiaobin/deep-high-resolution-net.pytorch" in str(reason)
    assert "python -m hrbench.miniature train pose_hrnet_x" in str(reason)


def test_no_sources_at_all(tmp_path: Path) -> None:
    reason = find_weights(variant(), None, tmp_path)
    assert isinstance(reason, Missing)
    assert "no weights of pose_hrnet_x have been published" in str(reason)


def test_a_callable_of_ones_own_may_bring_its_weights(tmp_path: Path) -> None:
    own = Variant("pose", use="ourpkg.nets:pose", task="pose", input=(256, 192))
    assert find_weights(own, "own", tmp_path) == WeightsFile(Path(), "own")
    both = "pose has no weights; give a file with weights: PATH, or weights: own if the callable loads them itself"
    assert str(find_weights(own, None, tmp_path)) == both
    assert "is no user-defined callable" in str(find_weights(variant(), "own", tmp_path))
    (tmp_path / "a.pth").touch()
    assert find_weights(variant(own="a.pth"), "own", tmp_path) == WeightsFile(tmp_path / "a.pth", "own")


def test_none_asks_for_none_even_where_there_are_some(tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    assert "only costs" in str(find_weights(variant(official="a.pth"), "none", tmp_path))


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    missing = find_weights(variant(official="a.pth"), str(path), tmp_path)
    assert isinstance(missing, Missing)
    assert f"the weights {path} are not there; sources of pose_hrnet_x: official" in str(missing)
    path.touch()
    assert find_weights(variant(), str(path), tmp_path / "elsewhere") == WeightsFile(path, "file")


def test_shipped_weights_lie_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SHIPPED", tmp_path / "package")
    (tmp_path / "b.safetensors").touch()
    assert isinstance(find_weights(variant(shipped="b.safetensors"), None, tmp_path), Missing)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "b.safetensors").touch()
    assert find_weights(variant(shipped="b.safetensors"), None, tmp_path) == WeightsFile(
        tmp_path / "package" / "b.safetensors", "shipped"
    )


def test_looking_for_weights_imports_no_torch() -> None:
    code = "import sys, hrbench.models.weights.sources; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_same_weights_as_safetensors_will_do(tmp_path):
    variant = Variant(name="n", use="u", task="pose", input=(8, 8), weights={"official": "a.pth", "other": "b.pth.tar"})
    (tmp_path / "b.safetensors").write_bytes(b"")
    assert find_weights(variant, None, tmp_path) == WeightsFile(tmp_path / "b.safetensors", "other")
    (tmp_path / "a.pth").write_bytes(b"")
    (tmp_path / "a.safetensors").write_bytes(b"")
    assert find_weights(variant, None, tmp_path) == WeightsFile(tmp_path / "a.pth", "official")


HUB = "timm/hrnet_w18.ms_aug_in1k"


def test_a_repository_of_the_hub_is_a_file_of_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    row = variant(timm=HUB)
    source = stated_source(row, "timm")
    assert (source.file, source.sha256, source.hub) == ("hrnet_w18.ms_aug_in1k.safetensors", "", True)
    assert source.address == "https://huggingface.co/timm/hrnet_w18.ms_aug_in1k/resolve/main/model.safetensors"
    reason = find_weights(row, None, tmp_path)
    assert f"{tmp_path / 'hrnet_w18.ms_aug_in1k.safetensors'} is not there (timm: get it from https://h" in str(reason)
    (tmp_path / "hrnet_w18.ms_aug_in1k.safetensors").touch()
    assert find_weights(row, "timm", tmp_path) == WeightsFile(tmp_path / "hrnet_w18.ms_aug_in1k.safetensors", "timm")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/hub/")
    assert stated_source(row, "timm").address == f"https://mirror.example/hub/{HUB}/resolve/main/model.safetensors"


def test_what_the_catalog_says_of_a_source_is_taken_apart(tmp_path: Path) -> None:
    row = variant(
        official="pose_coco/a.pth",
        openmmlab=ADDRESS,
        keras=f"https://models.example/x/net.tar.gz?download=1#sha256={'AB' * 32}",
        timm="https://models.example/v0.1/hrnet_w18-8cb57bb9.pth",
    )
    told = {name: stated_source(row, name) for name in row.weights}
    assert {name: source.file for name, source in told.items()} == {
        "official": "pose_coco/a.pth",
        "openmmlab": "hrnet_w32-c78dce93.pth",
        "keras": "net.tar.gz",
        "timm": "hrnet_w18-8cb57bb9.pth",
    }
    digits = {"official": "", "openmmlab": "c78dce93", "keras": "ab" * 32, "timm": "8cb57bb9"}
    assert {name: source.sha256 for name, source in told.items()} == digits
    assert told["keras"].address == "https://models.example/x/net.tar.gz?download=1" == told["keras"].home
    assert told["official"].address == "" and "the model zoo of" in told["official"].home
    assert told["official"].target(tmp_path) == tmp_path / "a.pth"


def test_converted_weights_are_found_whatever_the_format_was(tmp_path: Path) -> None:
    for name in ("net.tar.gz", "net.ckpt", "net.h5"):
        row = variant(keras=f"https://models.example/{name}")
        (tmp_path / "net.safetensors").unlink(missing_ok=True)
        assert isinstance(find_weights(row, None, tmp_path), Missing)
        (tmp_path / "net.safetensors").touch()
        assert find_weights(row, None, tmp_path) == WeightsFile(tmp_path / "net.safetensors", "keras")


@pytest.mark.parametrize("kind", ["onnx", "exported"])
def test_some_networks_come_with_their_weights(tmp_path: Path, kind: str) -> None:
    row = Variant("own", use=f"{kind}:{tmp_path / 'net.onnx'}", task="pose", input=(8, 8))
    assert str(find_weights(row, None, tmp_path)) == f"the network's file {tmp_path / 'net.onnx'} is not there"
    assert "only costs" in str(find_weights(row, "none", tmp_path))
    (tmp_path / "net.onnx").touch()
    assert find_weights(row, None, tmp_path) == WeightsFile(tmp_path / "net.onnx", kind)


def test_what_the_catalog_names_can_be_told_apart_on_one_disk() -> None:
    """Files are looked for by name in one folder, so no two publishers' files may be called the same."""
    told: dict[Path, str] = {}
    for row in variants().values():
        for source in (stated_source(row, name) for name in row.weights):
            origin = source.address or f"{source.name} {source.file}"
            assert told.setdefault(source.target(Path("weights")), origin) == origin, row.name
            assert not source.address or source.address.startswith("https://"), row.name
            assert source.name != "openmmlab" or len(source.sha256) == 8, row.name
            assert source.home != f"where {source.name} publishes its weights", (
                f"DOWNLOAD_PAGES does not know {row.use}"
            )


def test_weights_in_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = memory_store(tmp_path, monkeypatch)
    store.write("weights/a.pth", b"tensors")
    folder, row = mirror.local_folder(f"{store.url}/weights"), variant(official="a.pth", other="b.pth")
    assert find_weights(row, None, folder) == WeightsFile(folder / "a.pth", "official")
    absent = str(find_weights(row, "other", folder))
    assert f"found: {store.url}/weights/b.pth is not there" in absent
    named = find_weights(row, f"{store.url}/weights/a.pth", tmp_path)
    assert isinstance(named, WeightsFile) and named.source == "file"
    assert sources.weights_digest(named) == hashlib.sha256(b"tensors").hexdigest()
    absent = str(find_weights(row, f"{store.url}/weights/none.pth", tmp_path))
    assert absent == f"the weights {store.url}/weights/none.pth are not there"
