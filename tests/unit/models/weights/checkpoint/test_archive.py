"""The reader of torch's archives against torch's own, on all kinds of tensors, and on damaged and hostile files."""

from __future__ import annotations

import io
import pickle
import random
import re
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hrbench.errors import InputError
from hrbench.models.weights.load import read_layout, read_state
from hrbench.models.weights.read import read_weights

BOTH = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def written(content: Any, path: Path, zipped: bool = True, **options: Any) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped, **options)
    return path


def plain_tensors() -> dict[str, Tensor]:
    base = torch.arange(60.0)
    found = {
        "transposed": base.view(6, 10).t(),
        "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "slice": base[7:31:3],
        "tied": base,
        "expanded": torch.ones(1, 3).expand(5, 3),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 4),
        "parameter": nn.Parameter(torch.randn(3)),
        "buffer": nn.Buffer(torch.randn(3)),
        "with attributes": torch.randn(2),
        "conjugate": torch.randn(3, dtype=torch.complex64).conj(),
        "negative": torch.randn(3, dtype=torch.complex64).conj().imag,
    }
    found["with attributes"].mine = "x"
    for dtype in (
        torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
        torch.bool, torch.complex128,
    ):  # fmt: skip
        found[str(dtype)] = torch.randn(4).mul(3).to(dtype)
    return found


def newer_tensors() -> dict[str, Tensor]:
    """Of types that only zip archives hold."""
    return {
        str(dtype): torch.arange(5.0).to(dtype)
        for dtype in (torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2)
    }


def same_bits(one: Tensor, other: Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    plain = [each.detach().resolve_conj().resolve_neg().contiguous().reshape(-1) for each in (one, other)]
    return not one.numel() or torch.equal(*(each.view(torch.uint8) for each in plain))


@BOTH
@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_have_the_bits_that_torch_reads(zipped: bool, protocol: int, tmp_path: Path) -> None:
    state = plain_tensors() | (newer_tensors() if zipped else {})
    path = written(state, tmp_path / "w.pth", zipped, pickle_protocol=protocol)
    theirs = torch.load(path, weights_only=False)
    ours, layout = read_weights(path).state, read_layout(path).state
    assert ours.keys() == theirs.keys() == layout.keys()
    for key, value in theirs.items():
        assert same_bits(ours[key], value), key
        assert (layout[key].shape, layout[key].dtype, layout[key].is_meta) == (value.shape, value.dtype, True), key
        if key not in ("conjugate", "negative"):
            assert ours[key].stride() == value.stride(), key


@BOTH
def test_tensors_of_one_storage_share_it(zipped: bool, tmp_path: Path) -> None:
    base = torch.zeros(8)
    path = written({"a": base[:4], "b": base[4:].view(2, 2), "c": base}, tmp_path / "w.pth", zipped)
    ours = read_weights(path).state
    assert len({each.untyped_storage().data_ptr() for each in ours.values()}) == 1
    ours["c"][4:] = 3
    assert ours["b"].eq(3).all()
    assert torch.load(path, weights_only=True)["c"].eq(0).all()  # the file is as it was


def test_what_read_state_gives_does_not_change_with_the_file(tmp_path: Path) -> None:
    path = written({"a": torch.ones(5000)}, tmp_path / "w.pth")
    state = read_state(path)
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert state["a"].eq(1).all()


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation:UserWarning")
@BOTH
def test_quantised_and_sparse_tensors(zipped: bool, tmp_path: Path) -> None:
    values = torch.randn(3, 4)
    scales, zeros = torch.rand(3, dtype=torch.float64) + 0.1, torch.tensor([0, 1, 2])
    coo = torch.sparse_coo_tensor(
        torch.tensor([[0, 2], [1, 3]]), torch.tensor([3.0, 4.0]), (3, 4), check_invariants=True
    )
    state = {
        "tensor": torch.quantize_per_tensor(values, 0.1, 3, torch.quint8),
        "channel": torch.quantize_per_channel(values, scales, zeros, 0, torch.qint8),
        "coo": coo.coalesce(),
    }
    path = written(state, tmp_path / "w.pth", zipped)
    ours = read_weights(path).state
    for key in ("tensor", "channel"):
        assert torch.equal(ours[key].int_repr(), state[key].int_repr()), key
        assert torch.equal(ours[key].dequantize(), state[key].dequantize()), key
    assert torch.equal(ours["coo"].to_dense(), coo.to_dense())
    assert read_layout(path).state["coo"].shape == (3, 4)
    net = nn.Linear(4, 3, bias=False)
    written({"weight": coo}, tmp_path / "sparse.pth", zipped)
    from hrbench.models.weights.load import load

    load(net, tmp_path / "sparse.pth")
    assert torch.equal(net.weight.detach(), coo.to_dense())


@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
def test_compressed_sparse_rows(tmp_path: Path) -> None:
    dense = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    path = written({"a": dense.to_sparse_csr()}, tmp_path / "w.pth")
    assert torch.equal(read_weights(path).state["a"].to_dense(), dense)


def test_tensors_without_values_are_refused_and_have_a_layout(tmp_path: Path) -> None:
    path = written({"a": torch.empty(3, device="meta")}, tmp_path / "w.pth")
    assert read_layout(path).state["a"].shape == (3,)
    with pytest.raises(InputError, match="meta device, which have no values"):
        read_state(path)


def test_archives_packed_again_and_those_without_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"a": torch.arange(300.0), "b": torch.zeros(3, dtype=torch.bfloat16)}
    path = written(state, tmp_path / "w.pth")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "again.pth", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    torch.serialization.set_crc32_options(False)
    try:
        written(state, tmp_path / "unchecked.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    for name in ("again.pth", "unchecked.pth"):
        assert all(torch.equal(value, state[key]) for key, value in read_weights(tmp_path / name).state.items())


@BOTH
def test_numbers_of_the_other_byte_order(zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = (301, 302, 303, 304)
    numbers = [torch.arange(float(count)) for count in counts]
    state = {
        "a": numbers[0],
        "b": numbers[1].long(),
        "c": torch.complex(numbers[2], -numbers[2]),
        "d": numbers[3].half(),
    }
    turned = {key: torch.from_numpy(value.numpy().byteswap()) for key, value in state.items()}
    path = written(turned, tmp_path / "w.pth", zipped)
    if zipped:
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "other.pth", "w") as new:
            for name in old.namelist():
                new.writestr(name, b"big" if name.endswith("byteorder") else old.read(name))
    else:
        content = re.sub(
            rb"(little_endianq.)\x88", lambda found: found[1] + b"\x89", path.read_bytes(), flags=re.DOTALL
        )
        for count in counts:  # in the machine's order, as all numbers of such a file
            assert content.count(struct.pack("<q", count)) == 1
            content = content.replace(struct.pack("<q", count), struct.pack(">q", count))
        (tmp_path / "other.pth").write_bytes(content)
    monkeypatch.setattr(sys, "byteorder", "little")
    ours = read_weights(tmp_path / "other.pth").state
    assert all(torch.equal(ours[key], value) for key, value in state.items())


def test_an_optimiser_beside_the_weights_is_never_read(tmp_path: Path) -> None:
    content = {"state_dict": {"a": torch.ones(4)}, "optimizer": {"state": {0: {"m": torch.ones(200)}}}}
    path = written(content, tmp_path / "w.pth")
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("w/data/1").header_offset
    damaged = bytearray(path.read_bytes())
    damaged[offset + 500] ^= 0x40
    path.write_bytes(damaged)
    assert read_state(path)["a"].eq(1).all()


# --- damaged and hostile files ---------------------------------------------------------------------------------------


def small_state() -> dict[str, Any]:
    return {"epoch": 3, "state_dict": {"a": torch.arange(4.0), "b.c": torch.ones(2, 2, dtype=torch.int64)}}


def holds_nothing_but_what_was_written(path: Path) -> bool:
    """Whether reading gives one clear error, or exactly what was written (the damage fell on padding or a number)."""
    for read in (read_state, lambda path: read_layout(path).state):
        try:
            found = read(path)
        except InputError as error:
            if len(str(error).splitlines()) != 1 or str(path) not in str(error):
                return False
        else:
            if any(each.numel() > 2**20 for each in found.values()):
                return False
    return True


@BOTH
def test_hundreds_of_damaged_archives_give_one_line_each(zipped: bool, tmp_path: Path) -> None:
    whole = written(small_state(), tmp_path / "w.pth", zipped).read_bytes()
    chance, path = random.Random(0), tmp_path / "damaged.pth"
    tracemalloc.start()
    try:
        for number in range(300):
            content = bytearray(whole)
            if number % 3 == 0:
                content = content[: chance.randrange(len(content))]
            else:
                for _ in range(1 + number % 4):
                    content[chance.randrange(len(content))] = chance.randrange(256)
            path.write_bytes(content)
            assert holds_nothing_but_what_was_written(path), number
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def test_damage_of_the_pickle_alone_gives_one_line_each(tmp_path: Path) -> None:
    """With checksums that fit, so that the steps themselves meet the damage."""
    path = written(small_state(), tmp_path / "w.pth")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    chance = random.Random(1)
    for number in range(400):
        content = bytearray(parts["w/data.pkl"])
        for _ in range(1 + number % 3):
            content[chance.randrange(len(content))] = chance.randrange(256)
        with zipfile.ZipFile(tmp_path / "damaged.pth", "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, bytes(content) if name == "w/data.pkl" else part)
        assert holds_nothing_but_what_was_written(tmp_path / "damaged.pth"), number


def archive_of(pickled: bytes, path: Path, numbers: bytes = bytes(16)) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", pickled)
        archive.writestr("w/data/0", numbers)
        archive.writestr("w/version", "3")
    return path


def tensor_of(shape: bytes, stride: bytes, offset: bytes = b"K\x00", count: bytes = b"K\x04") -> bytes:
    """A pickle of {"a": a tensor}, with these pieces of pickle as its fields."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + count + b"tQ"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + shape + stride + b"\x89NtR"
    return b"\x80\x02}X\x01\x00\x00\x00a" + call + b"s."


BIG = b"\x8a\x08" + struct.pack("<q", 2**50)


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (tensor_of(b"K\x05\x85", b"K\x01\x85"), "reaches beyond its storage of 4 elements"),
        (tensor_of(b"K\x04\x85", b"K\x01\x85", offset=b"K\x01"), "reaches beyond its storage"),
        (tensor_of(b"K\x05\x85", b"K\x01\x85", count=b"K\x05"), "storage 0 has 16 bytes in the file, and 20 are asked"),
        (tensor_of(BIG + b"\x85", b"K\x00\x85"), r"tensors are to take 4,503,599,627,370,496 bytes, and the file has"),
        (tensor_of(BIG + BIG + b"\x86", b"K\x00K\x00\x86"), "more elements than there are addresses"),
        (tensor_of(b"J\xff\xff\xff\xff\x85", b"K\x01\x85"), "are no whole numbers"),
        (tensor_of(b"K\x02\x85", b"J\xff\xff\xff\xff\x85"), "are no whole numbers"),
        (tensor_of(b"K\x02\x85", b"K\x01K\x01\x86"), "without its storage, offset or strides"),
        (b"\x80\x02B\xff\xff\xff\xff.", "announces 4,294,967,295 bytes"),
        (b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b".", "announces 4,611,686,018,427,387,904 bytes"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".", "announces 4,611,686,018,427,387,904 bytes"),
        (b"\x80\x02cbuiltins\nbytearray\n" + BIG + b"\x85R.", "a bytearray of a number"),
        (b"\x80\x02}r\xff\xff\xff\xff.", "holds a dict"),
        (b"\x80\x02}" + b"\x85" * 300_000 + b"}\x8c\x01as.", "is no mapping"),
        (b"\x80\x02}" + b")" + b"\x85" * 5_000 + b"Ns.", "a key has more than 1,000 parts"),
        (b"\x80\x02}" + b"K\x01" + b"2\x86" * 60 + b"Ns.", "a key has more than 1,000 parts"),
        (b"\x80\x02}]Ns.", "a list is a key"),
        (b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.", r"it holds no state dict but an object .*\(os\.system\)"),
        (b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.", r"\(builtins\.eval\)"),
        (b"(S'true'\nios\nsystem\n.", "byte 1 is no step of a pickle"),
        (b"(X\x01\x00\x00\x001ibuiltins\neval\n.", r"\(builtins\.eval\)"),
        (b"\x80\x05\x8c\x04a\nb\x07\x8c\x01c\x93)R.", r"\(a\?b\?\.c\)\. If it is a network.*where a\?b\? can be"),
        (b"\x80\x02\x82\x01)R.", r"\(copyreg extension 1\)"),
        (b"\x80\x02}bu.", "IndexError"),
        (b"\x80\x02(.", "a mark stands where"),
        (b"\x80\x02X\x01\x00\x00\x00xQ.", "a persistent id is no tuple"),
        (b"\x80\x05\x97.", "needs buffers from outside"),
        (b"\x80\x02h\x07.", "value 7 was not remembered"),
        (b"\x80\x02L" + b"9" * 5000 + b"L\n.", "ValueError"),
        (b"\x80\x02}", "it ends in the middle"),
    ],
)
def test_hostile_pickles(pickled: bytes, said: str, tmp_path: Path) -> None:
    path = archive_of(pickled, tmp_path / "w.pth")
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=said):
            read_state(path)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def test_a_pickle_of_too_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hrbench.models.weights.checkpoint import pickle_steps

    monkeypatch.setattr(pickle_steps, "MOST_STEPS", 1000)
    with pytest.raises(InputError, match="it has more than 1,000 steps"):
        read_state(archive_of(b"\x80\x02" + b"}" * 1001 + b".", tmp_path / "w.pth"))


def test_records_that_lie_about_their_size(tmp_path: Path) -> None:
    state, path = {"a": torch.arange(4.0)}, tmp_path / "w.pth"
    whole = written(state, path).read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("w/data/0")
    central = whole.rindex(b"PK\x01\x02", 0, whole.rindex(b"w/data/0"))
    for field, value, said in (
        (24, 2**31, "has two sizes|reaches beyond"),
        (42, len(whole) - 4, "is not where the archive says"),
        (8, 1 | info.flag_bits, "is encrypted"),
        (10, 99, "compressed in a way"),
    ):
        form = "<H" if field in (8, 10) else "<I"
        content = bytearray(whole)
        struct.pack_into(form, content, central + field, value)
        path.write_bytes(content)
        with pytest.raises(InputError, match=said):
            read_state(path)


def test_a_bomb_of_compressed_zeros(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    pickled = tensor_of(b"J\x00\x00\x00\x04\x85", b"K\x01\x85", count=b"J\x00\x00\x00\x04")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", pickled)
        archive.writestr("w/data/0", bytes(2**28))
    with pytest.raises(InputError, match=r"tensors are to take 268,435,456 bytes, and the file has"):
        read_state(path)


def test_other_files_of_the_same_ending(tmp_path: Path) -> None:
    tar, empty, plain = (tmp_path / name for name in ("old.tar", "empty.pth", "plain.pth"))
    tar.write_bytes(bytes(257) + b"ustar" + bytes(300))
    empty.write_bytes(b"")
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("readme.txt", "no weights")
    for path, said in (
        (tar, "a tar archive of PyTorch before 0.1.10, which cannot be read without running it"),
        (empty, "the file is empty"),
        (plain, "a zip archive without data.pkl"),
    ):
        with pytest.raises(InputError, match=said):
            read_state(path)


def test_the_steps_of_python_s_pickles_give_python_s_values() -> None:
    from hrbench.models.weights.checkpoint import rebuild
    from hrbench.models.weights.checkpoint.pickle_steps import interpret

    value = {
        "numbers": [0, 1, -1, 255, 65536, -(2**31), 2**70, -(2**2000), 1.5, float("inf"), True, False, None],
        "texts": ["", "ä€𝄞", "x" * 300, "line\nbreak\\u0041"],
        "bytes": [b"", b"\x00\xff" * 200],
        "collections": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}, {1: {2: [3]}}, {1, 2}, frozenset("ab")),
        (1, ("key", 2.5)): bytearray(b"abc"),
        "complex": 1 + 2j,
    }
    value["again"] = value["numbers"]
    for protocol in range(6):
        stream = io.BytesIO()
        pickle.Pickler(stream, protocol).dump(value)
        found, end = interpret(stream.getvalue() + b"more", 0, rebuild.storage)
        assert found == value, protocol
        assert end == len(stream.getvalue())
        assert found["again"] is found["numbers"]


def test_numpy_s_numbers_are_stand_ins() -> None:
    from hrbench.models.weights.checkpoint import rebuild
    from hrbench.models.weights.checkpoint.pickle_steps import interpret
    from hrbench.models.weights.checkpoint.values import StandIn, kind

    found, _ = interpret(pickle.dumps([np.float32(1), np.arange(3)], 2), 0, rebuild.storage)
    assert all(isinstance(each, StandIn) for each in found)
    assert [kind(each).rpartition(".")[2] for each in found] == ["scalar", "_reconstruct"]
