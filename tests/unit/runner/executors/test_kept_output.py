"""Of a job's output the beginning and the end are kept, and never more is held."""

from __future__ import annotations

from hrbench.runner.executors.output import HEAD_BYTES, TAIL_BYTES, KeptOutput


def kept(path, *pieces: bytes) -> KeptOutput:
    output = KeptOutput(path)
    for piece in pieces:
        output.feed(piece)
    output.close()
    return output


def test_little_is_kept_as_it_is(tmp_path):
    output = kept(tmp_path / "log", b"one\ntw", b"o\n")
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"
    assert (output.total, output.left_out, output.last_lines()) == (8, 0, "one\ntwo")


def test_just_what_fits_is_whole(tmp_path):
    data = bytes(range(32, 127)) * 10_000
    for extra in (0, 1):
        path = tmp_path / f"log{extra}"
        output = kept(path, *(data[at : at + 1000] for at in range(0, HEAD_BYTES + TAIL_BYTES + extra, 1000)))
        whole = data[: output.total]
        assert output.left_out == output.total - HEAD_BYTES - TAIL_BYTES > 0
        assert path.read_bytes().startswith(whole[:HEAD_BYTES]) and path.read_bytes().endswith(whole[-TAIL_BYTES:])
        assert f"\n[hrbench: {output.left_out:,} bytes left out here]\n".encode() in path.read_bytes()
    exact = kept(tmp_path / "exact", data[: HEAD_BYTES + TAIL_BYTES])
    assert exact.left_out == 0 and (tmp_path / "exact").read_bytes() == data[: HEAD_BYTES + TAIL_BYTES]


def test_much_takes_no_more_memory_than_the_bounds():
    output = KeptOutput(None)
    for _ in range(1000):
        output.feed(b"z" * 65536)
        assert len(output._head) + len(output._tail) <= HEAD_BYTES + 2 * TAIL_BYTES
    assert output.total == 65_536_000


def test_the_beginning_can_be_read_while_the_job_runs(tmp_path):
    output = KeptOutput(tmp_path / "log")
    output.feed(b"so far\n")
    assert (tmp_path / "log").read_text() == "so far\n"
    output.close()


def test_a_log_grows(tmp_path):
    kept(tmp_path / "log", b"first\n")
    kept(tmp_path / "log", b"second\n")
    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "log").symlink_to(tmp_path / "precious")
    output = kept(tmp_path / "log", b"text\n")
    assert (tmp_path / "precious").read_text() == "mine" and output.last_lines() == "text"


def test_a_folder_that_is_not_there_costs_the_log_alone(tmp_path):
    assert kept(tmp_path / "no" / "log", b"text\n").last_lines() == "text"


def test_last_lines_are_plain_text():
    data = (
        b"old\n\x1b[31mred\x1b[0m \x1b]0;title\x07line\n 10 %\r100 %\r\nbad \xff\x00\x07\nlong " + b"x" * 900 + b"\n\n"
    )
    lines = kept(None, b"older\n" * 20 + data).last_lines().split("\n")[-4:]
    assert lines[:3] == ["red line", "100 %", "bad \ufffd"]
    assert lines[3] == f"long {'x' * 495}..." and len(lines) == 4


def test_last_lines_reach_over_the_end_of_the_beginning():
    output = kept(None, b"a" * (HEAD_BYTES - 3) + b"\nbc", b"d\nlast\n")
    assert output.last_lines().endswith("...\nbcd\nlast")
