"""`hrbench fetch data` and `datasets --check` against a server on loopback: from a name to data that are whole."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hrbench import catalog
from hrbench.cli.command_line import main
from hrbench.core.units import with_unit
from hrbench.errors import InputError
from hrbench.fetch.data import downloads
from hrbench.types import DatasetRow


class Counting(SimpleHTTPRequestHandler):
    """Notes what is asked for."""

    asked: list[str] = []  # noqa: RUF012

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()


def png(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


def content() -> dict[str, bytes]:
    """Three images and label maps in the layout of a publisher's archive."""
    rng = np.random.default_rng(0)
    files = {}
    for name in "abc":
        files[f"made/images/{name}.png"] = png(rng.integers(0, 256, (8, 10, 3), dtype=np.uint8))
        files[f"made/labels/{name}.png"] = png(rng.integers(0, 3, (8, 10), dtype=np.uint8))
    return files


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A publisher's server with one archive for images, one for labels, a list, and an archive that means ill."""
    files = tmp_path / "published"
    files.mkdir()
    with zipfile.ZipFile(files / "images.zip", "w") as archive:
        for name, data in content().items():
            if "images" in name:
                archive.writestr(name, data)
    with tarfile.open(files / "labels.tar.gz", "w:gz") as archive:
        for name, data in content().items():
            if "labels" in name:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    with zipfile.ZipFile(files / "evil.zip", "w") as archive:
        archive.writestr("made/images/a.png", b"")
        archive.writestr("../../outside.txt", b"evil")
    (files / "val.txt").write_text("b\na\n")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Counting.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, directory=str(files))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


Run = Callable[..., int]


def digest(path: Path, kind: str) -> str:
    return f"{kind}:{hashlib.new(kind, path.read_bytes()).hexdigest()}"


@pytest.fixture
def hrbench(published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `hrbench ...` on a catalog whose data sets lie on that server, with --data tmp_path/d."""
    files = tmp_path / "published"

    def row(name: str, *given: dict[str, Any], home: str = "by hand from example.org", **args: Any) -> DatasetRow:
        args = {"names": ["x", "y", "z"], "folder": "made", **args}
        return DatasetRow(
            name, "label-folders", "segmentation", ("miou",), args, title=name, home=home, downloads=given
        )

    images = {"address": f"{published}/images.zip", "unpack": "made", "into": "."}
    labels = {"address": f"{published}/labels.tar.gz", "unpack": "made/labels", "into": "labels"}
    listed = {"address": f"{published}/val.txt", "into": "lists/val.txt"}
    rows = [
        row(
            "made",
            {**images, "digest": digest(files / "images.zip", "md5"), "bytes": (files / "images.zip").stat().st_size},
            {**labels, "digest": digest(files / "labels.tar.gz", "sha256")},
        ),
        row("listed", images, labels, listed, list="lists/val.txt"),
        row("wrong", {**images, "digest": "md5:" + "0" * 32}, labels, folder="wrong"),
        row("evil", {**images, "address": f"{published}/evil.zip"}, folder="evil"),
        row("half", images, folder="half"),
        row("closed", folder="closed"),
        row("gone", {**images, "address": f"{published}/gone.zip"}, folder="gone"),
        catalog.datasets()["miniature-mpii"],
    ]
    monkeypatch.setattr(catalog, "datasets", lambda: {row.name: row for row in rows})
    return lambda *words: main([*words, "--data", str(tmp_path / "d")])


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_from_a_name_to_data_that_are_checked(hrbench: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert hrbench("datasets", "made", "--check") == 3
    out = capsys.readouterr().out
    assert "made: missing: images are missing: " in out and "made: 2 things to mend" in out
    assert hrbench("fetch", "data", "made") == 0
    out = capsys.readouterr().out
    assert out.count("as published") == 2 and "3 files of images.zip" in out and "made: download: " in out
    there = tree(tmp_path / "d" / "made")
    assert there.pop(".fetched.json") and {f"made/{name}": data for name, data in there.items()} == content()
    assert hrbench("datasets", "made", "--check", "--all") == 0
    out = capsys.readouterr().out
    assert "made: files: 3 images, 3 label files, 3 classes" in out
    assert "3 images of 3 decoded with what is annotated of them: no fault" in out and out.endswith("made: fine\n")
    assert len(out.partition("made: digest: ")[2].partition("\n")[0]) == 64


def test_faults_of_data_are_told_and_end_with_3(hrbench: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    hrbench("fetch", "data", "made")
    labels = tmp_path / "d" / "made" / "labels"
    (labels / "a.png").write_bytes((labels / "a.png").read_bytes()[:50])
    (labels / "b.png").write_bytes(png(np.full((8, 10), 7, np.uint8)))
    capsys.readouterr()
    assert hrbench("datasets", "made", "--check", "--all") == 3
    out = capsys.readouterr().out
    assert f"made: fault: {labels / 'a.png'}: is truncated (50 bytes); it should be labels, a PNG" in out
    assert f"made: fault: labels {labels / 'b.png'} hold 7 at (0, 0)" in out and "faults in 2 of them" in out


def test_what_is_there_is_not_fetched_again_but_by_force(hrbench: Run, capsys: pytest.CaptureFixture) -> None:
    assert hrbench("fetch", "data", "made") == 0 and len(Counting.asked) == 2
    assert hrbench("fetch", "data", "made") == 0 and len(Counting.asked) == 2
    assert "made: all of it is there already" in capsys.readouterr().out
    assert hrbench("fetch", "data", "listed") == 0 and Counting.asked[2:] == ["/val.txt"]  # it shares the folder
    assert hrbench("fetch", "data", "made", "--force") == 0 and len(Counting.asked) == 5


def test_what_came_before_an_interruption_counts(hrbench: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "published" / "labels.tar.gz").rename(tmp_path / "aside")
    assert hrbench("fetch", "data", "made") == 3
    assert "labels.tar.gz: there is no such file (404)" in capsys.readouterr().err
    (tmp_path / "aside").rename(tmp_path / "published" / "labels.tar.gz")
    assert hrbench("fetch", "data", "made") == 0
    assert Counting.asked == ["/images.zip", "/labels.tar.gz", "/labels.tar.gz"]


def test_a_wrong_digest_leaves_nothing(hrbench: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert hrbench("fetch", "data", "wrong") == 3
    assert f"has MD5 {digest(tmp_path / 'published' / 'images.zip', 'md5')[4:]}, not 000" in capsys.readouterr().err
    assert tree(tmp_path / "d") == {}


def test_an_archive_that_means_ill_writes_nothing(hrbench: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert hrbench("fetch", "data", "evil") == 2
    assert "its member '../../outside.txt' leads out of the folder" in capsys.readouterr().err
    assert tree(tmp_path / "d") == {}
    assert not list(tmp_path.rglob("outside.txt"))


def test_archives_are_kept_on_request_and_one_by_hand_is_taken(hrbench: Run, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "d" / "made"
    assert hrbench("fetch", "data", "made", "--keep") == 0
    assert {"images.zip", "labels.tar.gz"} <= set(tree(folder)) and not (folder / ".fetch").exists()
    (folder / "labels" / "a.png").unlink()
    Counting.asked.clear()
    assert hrbench("fetch", "data", "made", "--force") == 0 and Counting.asked == []
    assert (folder / "labels" / "a.png").is_file() and (folder / "images.zip").is_file()
    (folder / "images.zip").write_bytes(b"another")
    capsys.readouterr()
    assert hrbench("fetch", "data", "made", "--force") == 2
    assert f"{folder / 'images.zip'} exists, but its md5 is" in capsys.readouterr().err


def test_what_cannot_be_downloaded(hrbench: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert hrbench("fetch", "data", "closed") == 3
    assert capsys.readouterr().err == (
        "hrbench: closed is not free to download: get by hand from example.org; put it into "
        f"{tmp_path / 'd' / 'closed'}\n"
    )
    assert hrbench("fetch", "data", "half") == 3
    out = capsys.readouterr().out
    assert "half: cannot be downloaded: labels are missing: " in out and "3 files of images.zip" in out
    assert hrbench("fetch", "data", "half") == 3
    assert "was downloaded before: --force downloads it again" in capsys.readouterr().out
    assert hrbench("fetch", "data", "mad") == 2
    assert "did you mean made?" in capsys.readouterr().err
    assert hrbench("fetch", "data", "miniature-mpii") == 0
    assert "generated on first use" in capsys.readouterr().out


def test_one_of_several_that_fails_does_not_stop_the_others(hrbench: Run, tmp_path: Path, capsys) -> None:
    assert hrbench("fetch", "data", "*") == 3
    out = capsys.readouterr().out
    assert "gone: http" in out and "closed is not free" in out and "wrong: http" in out and "evil: " in out
    assert "3 files of images.zip" in out and (tmp_path / "d" / "made" / "lists" / "val.txt").is_file()


def test_offline_says_what_it_would_do(hrbench: Run, published: str, tmp_path: Path, capsys) -> None:
    assert hrbench("fetch", "data", "made", "--offline") == 2
    shown = capsys.readouterr()
    size = with_unit((tmp_path / "published" / "images.zip").stat().st_size, "bytes")
    assert f"made: would download {published}/images.zip ({size}) to {tmp_path / 'd' / 'made'}\n" in shown.out
    assert "nothing was downloaded" in shown.err and Counting.asked == [] and not (tmp_path / "d").exists()


def test_options_that_are_of_the_other_kind(hrbench: Run, capsys: pytest.CaptureFixture) -> None:
    assert hrbench("fetch", "data", "made", "--source", "timm") == 2
    assert "--source is for weights" in capsys.readouterr().err
    assert hrbench("fetch", "weights", "cls_hrnet_w48", "--keep") == 2
    assert "--keep is for archives of data" in capsys.readouterr().err
    assert hrbench("datasets", "made", "--all") == 2
    assert hrbench("datasets", "--check") == 2
    assert "--check needs the name of a data set" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        {"into": "."},
        {"address": "http://x/a.zip", "into": "."},
        {"address": "http://x/a.txt", "unpack": ".", "into": "."},
        {"address": "http://x/a.zip", "unpack": ".", "into": ".", "digest": "md5:12"},
        {"address": "http://x/a.zip", "unpack": ".", "into": ".", "digest": "crc:12"},
        {"address": "http://x/a.zip", "unpack": ".", "into": ".", "sha256": "12"},
    ],
)
def test_a_row_that_says_its_downloads_wrongly(given: dict[str, Any], tmp_path: Path) -> None:
    row = DatasetRow("one", "label-folders", "segmentation", ("miou",), {"names": ["x"]}, downloads=(given,))
    with pytest.raises(InputError, match="data set one: "):
        downloads(row, tmp_path)
