"""The config.json of a network's folder has one reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hrbench.errors import InputError
from hrbench.models.adapters import snapshots
from hrbench.models.adapters.snapshots import config_in


def test_values_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    assert config_in(tmp_path) == {"model_type": "vit"}


@pytest.mark.parametrize("content", [b"", b"[1]", b"null", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_configuration_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=r"config\.json (cannot be read|holds a)"):
        config_in(tmp_path)
    with pytest.raises(InputError, match=r"config\.json cannot be read"):
        config_in(tmp_path / "nowhere")


def test_how_a_network_is_fed_reads_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    from hrbench.models.inputs import transformers

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", "id2label": {"0": "background"}}))
    read: list[Path] = []
    monkeypatch.setattr(transformers, "config_in", lambda folder: (read.append(folder), snapshots.config_in(folder))[1])
    made = transformers.library_input(str(tmp_path), task="classification", input=None, args={})
    assert made is not None and made.protocol["label_offset"] == 1
    assert read == [tmp_path]
