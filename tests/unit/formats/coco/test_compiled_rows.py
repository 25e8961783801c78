"""The compiled readers against the general ones: the same columns to the last bit, or they leave the file alone."""

from __future__ import annotations

import io
import json
import locale
import random
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from both_ways import take
from pycocotools import mask as codec

from hrbench.errors import HrbenchError
from hrbench.formats.coco import compiled_rows, instance_results, instances, keypoint_results, keypoints
from hrbench.formats.coco.compiled_rows import NotUsualError, RowColumns, annotation_rows, results_rows
from hrbench.formats.coco.masks import annotated
from hrbench.formats.coco.rle import Masks

pytestmark = pytest.mark.parametrize("way", ["compiled"], indirect=True)

ROW = {"score": "needed"}


def scores(text: str | bytes) -> list[float]:
    stream = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return [score for rows in results_rows(stream, ROW) for score in rows.score.tolist()]


def of(number: str) -> float:
    (found,) = scores(f'[{{"score":{number}}}]')
    return found


def written(rng: random.Random) -> str:
    """A number as some program may write it."""
    value = rng.choice(
        [rng.random(), rng.gauss(0, 1e3), rng.random() * 10 ** rng.randint(-40, 40), rng.randint(0, 10**17)]
    )
    forms = [
        repr(value), repr(float(np.float32(rng.random() * 640))), f"{value:.{rng.randint(0, 20)}f}",
        f"{value:.{rng.randint(0, 18)}e}", f"{rng.getrandbits(63)}e-{rng.randint(0, 40)}",
        f"0.{'0' * rng.randint(0, 30)}{rng.getrandbits(60)}",
    ]  # fmt: skip
    return rng.choice(forms)


def test_numbers_are_those_of_python(way):
    rng = random.Random(1)
    texts = [written(rng) for _ in range(20_000)]
    # halfway between two doubles, just above and just below: what a rounding that is nearly right gets wrong
    for _ in range(2000):
        whole, places = rng.getrandbits(53) | 1 << 52, rng.randint(1, 20)
        exact = (2 * whole + 1) * 10**places // 2 ** rng.randint(1, 60)
        texts += [f"{exact + more}e-{places}" for more in (-1, 0, 1) if exact + more < 2**63]
    texts = [text for text in texts if "." in text or "e" in text or (len(text) < 20 and set(text) != {"-", "0"})]
    found = scores("[" + ",".join(f'{{"score": {text} }}' for text in texts) + "]")
    wrong = [text for text, value in zip(texts, found, strict=True) if value.hex() != float(text).hex()]
    assert not wrong


@pytest.mark.parametrize("number", ["0", "0.0", "-0.0", "1", "-1.5", "9007199254740993", "9223372036854775807", "1E5",
                                    "1e-300", "0e5", "5e-1", "123456789012345678901.5", "1e+2"])  # fmt: skip
def test_single_numbers(way, number):
    assert of(number).hex() == float(number).hex()


@pytest.mark.parametrize("number", ["-0", "01", "-", ".5", "1.", "1e", "+1", "NaN", "Infinity", "1e400", "1e999",
                                    "123456789012345678901", "[1]", "null", "true", '"1"', "1 2", ""])  # fmt: skip
def test_what_is_no_usual_number_is_left_alone(way, number):
    with pytest.raises(NotUsualError):
        of(number)


@pytest.mark.parametrize("name", ["de_DE.UTF-8", "fr_FR.UTF-8"])
def test_a_program_that_writes_commas_reads_points(way, name):
    """Numbers that the C library would read are then left to the general reader."""
    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        locale.setlocale(locale.LC_NUMERIC, name)
    except locale.Error:
        pytest.skip(f"no locale {name} here")
    try:
        assert of("0.1234567890123456789") == 0.1234567890123456789
        with pytest.raises(NotUsualError):
            of("0.12345678901234567890123")
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}", "[]]", "[{}]", '[{"score":1},]', '[{"score":1}]x', '[{"score":1}', '[{"score":1,"score":2}]',
     '[{"score":1,"a":"\\ud83d\\ude00"}]',
     '[{"score":1,"\\u0061":2}]', '[{"score":1,"a":"é"}]', '[{"score":1,"a":tru}]',
     '[{"score":1,"a":[1,]}]', '[{"score":1,"a":{"b"}}]', '[{"score":1,"a":' + "[" * 99 + "]" * 99 + "}]",
     '[{"score":1,,"a":1}]', '[{"score":1 "a":1}]', '[{"score":1,"a":1,}]'],
)  # fmt: skip
def test_what_is_no_usual_list_is_left_alone(way, text):
    with pytest.raises(NotUsualError):
        scores(text)


def test_white_space_and_unknown_fields_are_skipped(way):
    more = '"a" : [ 1 , {"b":"c, ]}\\n"} , [ ] , { } , null,true , false, -1.5e-7 ]'
    assert scores(f' \n[ {{ {more} , "score"\t: 2 }} , {{"score":3,"caption2":""}}\r\n] \n') == [2, 3]
    assert scores(" [ ] ") == []


def test_blocks_end_anywhere(way, monkeypatch):
    text = json.dumps([{"x": "y" * n, "score": n + 0.123456789} for n in range(40)])
    for size in (1, 2, 7, 50, 99):
        monkeypatch.setattr(compiled_rows, "BLOCK_BYTES", size)
        assert scores(text) == [n + 0.123456789 for n in range(40)]
        rows = annotation_rows(text.encode(), (0, len(text)), ROW)
        assert [score for part in rows for score in part.score.tolist()] == [n + 0.123456789 for n in range(40)]


# --- masks ------------------------------------------------------------------------------------------------------------


def both(monkeypatch: pytest.MonkeyPatch, work) -> tuple:
    """What work gives compiled and on NumPy: its value, or its error in words."""
    found = []
    for way in ("compiled", "numpy"):
        take(way, monkeypatch)
        try:
            found.append(work())
        except HrbenchError as error:
            found.append(f"{type(error).__name__}: {error}")
    take("compiled", monkeypatch)
    return tuple(found)


def same(one, other, place: str = "") -> None:
    """Equal to the last bit, dtypes and shapes included; `box` of masks is an addition of the compiled way."""
    assert type(one) is type(other), place
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape) and one.tobytes() == other.tobytes(), place
    elif is_dataclass(one):
        for field in fields(one):
            if not (isinstance(one, Masks) and field.name == "box"):
                same(getattr(one, field.name), getattr(other, field.name), f"{place}.{field.name}")
    else:
        assert one == other, place


def ring(rng: np.random.Generator, height: int, width: int) -> list[float]:
    """A polygon of any kind: inside, outside, degenerate, with corners on and between pixels."""
    corners = int(rng.integers(3, 12))
    reach = float(rng.choice([0, 0.2, 3]))
    points = rng.uniform(-reach, 1 + reach, (corners, 2)) * [width, height]
    kind = rng.integers(5)
    if kind == 0:
        points = points.round()
    elif kind == 1:
        points = (points * 5).round() / 5
    elif kind == 2:
        points = (points * 10).round() / 10
    elif kind == 3:
        points[:, rng.integers(2)] = points[0, 0]
    return points.ravel().tolist()


def a_mask(rng: np.random.Generator, height: int, width: int):
    kind = rng.integers(6)
    if kind < 3:
        return [ring(rng, height, width) for _ in range(int(rng.integers(1, 4)))]
    pixels = np.asfortranarray(rng.random((height, width)) < rng.choice([0, 0.1, 0.5, 1]), np.uint8)
    flat = pixels.ravel(order="F")
    turns = np.flatnonzero(np.diff(np.concatenate(([0], flat, [2]))))
    runs = np.diff(turns, prepend=0).tolist()
    if rng.random() < 0.2 and len(runs) > 2:  # an empty run within, which no encoder writes
        at = int(rng.integers(1, len(runs)))
        runs[at:at] = [0, 0]
    if kind == 3:
        return {"size": [height, width], "counts": runs}
    if rng.random() < 0.5:
        code = codec.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    else:
        code = codec.encode(pixels)
    return {"counts": code["counts"].decode(), "size": [height, width]}


def a_set(rng: np.random.Generator, folder: Path) -> tuple[Path, Path]:
    images = [{"id": 3 * n + 1, "height": int(rng.integers(1, 60)), "width": int(rng.integers(1, 60)),
               "file_name": f"é{n}.jpg"} for n in range(4)]  # fmt: skip
    categories = [{"id": n, "name": f"ü{n}"} for n in (5, 2, 9)]

    def row() -> dict:
        image = images[rng.integers(len(images))]
        box = (rng.random(4) * 40).astype(np.float32 if rng.random() < 0.5 else float).tolist()
        return {"segmentation": a_mask(rng, image["height"], image["width"]), "image_id": image["id"],
                "category_id": categories[rng.integers(3)]["id"], "bbox": box}  # fmt: skip

    truth = {"info": {"year": 2017, "text": 'a "é"'}, "images": images, "categories": categories, "annotations": [
        {**row(), "id": n + 1, "area": float(rng.random() * 2000), "iscrowd": int(rng.random() < 0.2), "ignore": 0}
        for n in range(int(rng.integers(0, 12)))
    ]}  # fmt: skip
    found = [{**row(), "score": float(rng.choice([rng.random(), np.float32(rng.random()), 0.5]))}
             for _ in range(int(rng.integers(0, 40)))]  # fmt: skip
    files = folder / "truth.json", folder / "results.json"
    files[0].write_text(json.dumps(truth, ensure_ascii=bool(rng.integers(2))), encoding="utf-8")
    files[1].write_text(json.dumps(found, indent=int(rng.integers(3)) or None), encoding="utf-8")
    return files


@pytest.mark.parametrize("seed", range(4))
def test_files_are_read_alike(way, tmp_path, monkeypatch, seed):
    rng = np.random.default_rng(seed)
    for _ in range(25):
        truth, results = a_set(rng, tmp_path)
        for masks in (True, False):
            for area in ("mask", "box") if masks else ("mask",):

                def read(masks=masks, area=area, truth=truth, results=results):
                    target = instances.read_truth(truth, masks)
                    return target, instance_results.read_results(results, target, area)

                one, other = both(monkeypatch, read)
                assert not isinstance(one, str), one
                for mine, theirs in zip(one, other, strict=True):
                    same(mine, theirs)
                if masks:
                    _boxes_hold(one[0].shape)


def _boxes_hold(masks: Masks) -> None:
    """The boxes are those of the codec, for masks without empty runs."""
    if not len(masks):
        return
    theirs = codec.toBbox(masks.codes(np.arange(len(masks))))
    theirs[:, 2:] += theirs[:, :2]
    assert masks.box is not None
    assert np.array_equal(masks.box[masks.plain], theirs[masks.plain])


def test_the_usual_files_are_read_by_the_helper(way, tmp_path, monkeypatch):
    """Else the tests above would compare the general reader with itself."""
    truth, results = a_set(np.random.default_rng(0), tmp_path)

    def general(*_):
        raise AssertionError("the general reader")

    monkeypatch.setattr(instances, "_general_truth", general)
    monkeypatch.setattr(instance_results, "blocks", general)
    for masks in (True, False):
        assert len(instance_results.read_results(results, instances.read_truth(truth, masks)).detections.score)


def test_polygons_are_drawn_as_pycocotools_draws_them(way, tmp_path, monkeypatch):
    rng = np.random.default_rng(7)
    given, size = [], []
    for _ in range(3000):
        height, width = int(rng.integers(1, 90)), int(rng.integers(1, 90))
        given.append([ring(rng, height, width) for _ in range(int(rng.integers(1, 4)))])
        size.append([height, width])
    truth = {
        "images": [{"id": n, "height": h, "width": w} for n, (h, w) in enumerate(size)],
        "categories": [{"id": 1}],
        "annotations": [
            {"id": n + 1, "image_id": n, "category_id": 1, "area": 1, "iscrowd": 0, "segmentation": polygons}
            for n, polygons in enumerate(given)
        ],
    }  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    found = instances.read_truth(tmp_path / "truth.json", True).shape
    assert isinstance(found, Masks) and found.box is not None
    theirs = annotated(given, np.array(size))
    assert found.text == theirs.text and np.array_equal(found.starts, theirs.starts)
    same(found, theirs)


def test_a_polygon_with_a_thousand_corners_over_one_column(way, tmp_path):
    """Sorting takes no quadratic time where many sides cross one column."""
    zigzag = [value for n in range(30_000) for value in (10 + 30 * (n % 2), 100 * n / 30_000)]
    truth = {"images": [{"id": 1, "height": 100, "width": 50}], "categories": [{"id": 1}], "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "area": 1, "iscrowd": 0, "segmentation": [zigzag]}]}  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    found = instances.read_truth(tmp_path / "truth.json", True).shape
    same(found, annotated([[zigzag]], np.array([[100, 50]])))


# --- damaged files ---------------------------------------------------------------------------------------------------


def damaged(text: bytes, rng: random.Random) -> bytes:
    """The text with a few bytes changed, taken out, or put in."""
    data = bytearray(text)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data))
        what = rng.choice(
            [b"", b"0", b"-", b"]", b"}", b",", b'"', b"\\", b"1e5", b"null", b"\xc3", b"9" * 20, b"[", b"{"]
        )
        data[at : at + rng.randint(0, 2)] = what
    return bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_refused_alike(way, tmp_path, monkeypatch, seed):
    """With the same words, or read to the same columns if the damage does no harm."""
    rng, draws = random.Random(seed), np.random.default_rng(seed)
    for number in range(120):
        if number % 20 == 0:
            truth, results = a_set(draws, tmp_path)
            whole = truth.read_bytes(), results.read_bytes()
        which = rng.randrange(2)
        for path, text, hurt in ((truth, whole[0], which == 0), (results, whole[1], which == 1)):
            path.write_bytes(damaged(text, rng) if hurt else text)
        masks = bool(rng.randrange(2))

        def read(masks=masks, truth=truth, results=results):
            target = instances.read_truth(truth, masks)
            return target, instance_results.read_results(results, target)

        one, other = both(monkeypatch, read)
        if isinstance(one, str) or isinstance(other, str):
            assert one == other
        else:
            for mine, theirs in zip(one, other, strict=True):
                same(mine, theirs)


# --- keypoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_keypoints_are_read_alike(way, tmp_path, monkeypatch, seed):
    rng, draws = random.Random(seed), np.random.default_rng(seed)
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    for number in range(60):
        joints, boxed = int(draws.integers(1, 6)), bool(draws.integers(2))

        def row(joints=joints, boxed=boxed) -> dict:
            points = (draws.random(3 * joints) * 100).astype(np.float32).tolist()
            box = {"bbox": (draws.random(4) * 50).tolist()} if boxed else {}
            return {"image_id": int(draws.integers(1, 4)), "category_id": 1, "keypoints": points, **box}

        people = [{"bbox": [1, 2, 3.5, 4], **row(), "id": n + 1, "area": 20.5, "iscrowd": bool(draws.integers(2)),
                   "num_keypoints": int(draws.integers(0, 3))} for n in range(5)]  # fmt: skip
        content = {"images": [{"id": n} for n in (3, 1, 2)], "annotations": people, "categories": [{"id": 1}]}
        texts = [
            json.dumps(content).encode(),
            json.dumps([{**row(), "score": draws.random()} for _ in range(9)]).encode(),
        ]
        if number % 2:
            which = rng.randrange(2)
            texts[which] = damaged(texts[which], rng)
        truth.write_bytes(texts[0])
        results.write_bytes(texts[1])

        def read(joints=joints):
            target = keypoints.read_truth(truth, joints)
            return target, keypoint_results.read_results(results, joints, target)

        one, other = both(monkeypatch, read)
        if isinstance(one, str) or isinstance(other, str):
            assert one == other
        else:
            for mine, theirs in zip(one, other, strict=True):
                same(mine, theirs)


def test_columns_are_empty_where_nobody_asks(way):
    (rows,) = results_rows(io.BytesIO(b'[{"score":1,"image_id":2}]'), {"score": "needed"})
    assert isinstance(rows, RowColumns) and (len(rows), len(rows.image), rows.masks) == (1, 0, None)
