from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from hrbench.models import weight_files
from hrbench.models.weight_files import Found, digest, find_weights
from hrbench.types import Variant

ADDRESS = "https://models.example/pose/hrnet_w32-c78dce93.pth"


def variant(**weights: str) -> Variant:
    return Variant("pose_hrnet_x", use="pose_hrnet", task="pose", input=(256, 192), weights=weights)


def test_left_out_means_the_first_source_that_is_there(tmp_path: Path) -> None:
    row = variant(official="a.pth", openmmlab=ADDRESS)
    (tmp_path / "hrnet_w32-c78dce93.pth").touch()
    assert find_weights(row, None, tmp_path) == Found(tmp_path / "hrnet_w32-c78dce93.pth", "openmmlab")
    (tmp_path / "a.pth").touch()
    assert find_weights(row, None, tmp_path) == Found(tmp_path / "a.pth", "official")
    assert find_weights(row, "openmmlab", tmp_path) == Found(tmp_path / "hrnet_w32-c78dce93.pth", "openmmlab")


def test_a_named_source_is_not_replaced_by_another(tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    reason = find_weights(variant(official="a.pth", openmmlab=ADDRESS), "openmmlab", tmp_path)
    assert isinstance(reason, str)
    assert f"{tmp_path / 'hrnet_w32-c78dce93.pth'} is not there (openmmlab: get it from {ADDRESS})" in reason
    assert "a.pth" not in reason


def test_a_file_may_lie_below_the_folder_or_in_it(tmp_path: Path) -> None:
    row = variant(official="pose_coco/a.pth")
    (tmp_path / "a.pth").touch()
    assert find_weights(row, None, tmp_path) == Found(tmp_path / "a.pth", "official")
    (tmp_path / "pose_coco").mkdir()
    (tmp_path / "pose_coco" / "a.pth").touch()
    assert find_weights(row, None, tmp_path) == Found(tmp_path / "pose_coco" / "a.pth", "official")


def test_the_reason_says_what_where_and_whence(tmp_path: Path) -> None:
    reason = find_weights(variant(official="a.pth", shipped="b.safetensors"), None, tmp_path)
    assert isinstance(reason, str)
    assert "\n" not in reason
    assert str(tmp_path / "a.pth") in reason
    assert "the model zoo of github.com/leoxiaobin/deep-high-resolution-net.pytorch" in reason
    assert "python -m hrbench.miniature train pose_hrnet_x" in reason


def test_no_sources_at_all(tmp_path: Path) -> None:
    reason = find_weights(variant(), None, tmp_path)
    assert isinstance(reason, str)
    assert "no weights of pose_hrnet_x have been published" in reason


def test_none_asks_for_none_even_where_there_are_some(tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    assert "only costs" in str(find_weights(variant(official="a.pth"), "none", tmp_path))


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    missing = find_weights(variant(official="a.pth"), str(path), tmp_path)
    assert isinstance(missing, str)
    assert f"the weights {path} are not there; sources of pose_hrnet_x: official" in missing
    path.touch()
    assert find_weights(variant(), str(path), tmp_path / "elsewhere") == Found(path, "file")


def test_shipped_weights_lie_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_files, "SHIPPED", tmp_path / "package")
    (tmp_path / "b.safetensors").touch()
    assert isinstance(find_weights(variant(shipped="b.safetensors"), None, tmp_path), str)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "b.safetensors").touch()
    assert find_weights(variant(shipped="b.safetensors"), None, tmp_path) == Found(
        tmp_path / "package" / "b.safetensors", "shipped"
    )


def test_digest_is_sha256(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "w").write_bytes(content)
    assert digest(tmp_path / "w") == hashlib.sha256(content).hexdigest()


def test_looking_for_weights_imports_no_torch() -> None:
    code = "import sys, hrbench.models.weight_files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_same_weights_as_safetensors_will_do(tmp_path):
    variant = Variant(name="n", use="u", task="pose", input=(8, 8), weights={"official": "a.pth", "other": "b.pth.tar"})
    (tmp_path / "b.safetensors").write_bytes(b"")
    assert find_weights(variant, None, tmp_path) == Found(tmp_path / "b.safetensors", "other")
    (tmp_path / "a.pth").write_bytes(b"")
    (tmp_path / "a.safetensors").write_bytes(b"")
    assert find_weights(variant, None, tmp_path) == Found(tmp_path / "a.pth", "official")
