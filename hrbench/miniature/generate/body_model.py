"""Articulated people for the generated data sets: a small 3-D body, posed at random and drawn as shaded capsules.

A body is symmetric: only its geometry distinguishes left from right. The face, the hair and the front of the shirt show
which way it looks. So a mirrored picture with left and right exchanged is a valid picture too; with colour-coded sides
it would not be, because each side would have the wrong colour.

Frames. Body: x to the person's left, y down, z forward, in units of the standing height. Camera: x right, y down,
z towards the viewer (larger is nearer), orthographic. At yaw 0 the person looks at the viewer.

`canvas.py` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hrbench.miniature.generate.canvas import Canvas, Circle, shade

# The 17 COCO keypoints in their official order, then four more that MPII has.
JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle", "pelvis", "thorax", "upper_neck", "head_top",
)  # fmt: skip
MPII_ORDER = (16, 14, 12, 11, 13, 15, 17, 18, 19, 20, 10, 8, 6, 5, 7, 9)  # joint of JOINTS at each MPII position
FACE_JOINTS = 5  # nose, eyes, ears: unlabelled if the person's own head hides them

# Parts of a body as they appear in the id map.
PARTS = (
    "torso", "neck", "head", "left_upper_arm", "left_forearm", "right_upper_arm", "right_forearm",
    "left_thigh", "left_shin", "right_thigh", "right_shin",
)  # fmt: skip
IDS_PER_PERSON = 16
CLUTTER = 255  # id of the objects in front of people

# A joint is visible if one of these parts of the same person is on top.
OWNERS = (
    ("head",), ("head",), ("head",), ("head",), ("head",),
    ("left_upper_arm", "torso"), ("right_upper_arm", "torso"),
    ("left_upper_arm", "left_forearm"), ("right_upper_arm", "right_forearm"), ("left_forearm",), ("right_forearm",),
    ("left_thigh", "torso"), ("right_thigh", "torso"), ("left_thigh", "left_shin"), ("right_thigh", "right_shin"),
    ("left_shin",), ("right_shin",),
    ("torso", "left_thigh", "right_thigh"), ("torso", "neck", "head"), ("torso", "neck", "head"), ("head",),
)  # fmt: skip

HEAD_RADIUS = 0.078
SKIN = ((180, 205, 240), (150, 185, 228), (120, 160, 210), (90, 130, 185), (70, 100, 150), (52, 74, 112))  # BGR
HAIR = ((28, 26, 30), (40, 50, 72), (50, 88, 130), (92, 150, 196), (60, 66, 150), (120, 120, 126))
CLOTH = (
    (172, 92, 62), (86, 62, 190), (92, 150, 76), (64, 132, 214), (160, 80, 150), (70, 176, 214), (166, 160, 84),
    (205, 205, 210), (78, 72, 70), (130, 108, 196), (150, 180, 120), (96, 116, 168),
)  # fmt: skip
TROUSERS = ((120, 78, 52), (70, 62, 58), (96, 104, 112), (60, 84, 116), (140, 120, 92), (88, 70, 96), (64, 92, 70))


@dataclass(frozen=True, slots=True)
class PersonLook:
    """Colours (BGR) and dress of one person."""

    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    shirt: tuple[int, int, int]
    panel: tuple[int, int, int]
    trousers: tuple[int, int, int]
    shoes: tuple[int, int, int]
    long_sleeves: bool
    shorts: bool
    build: float


@dataclass(slots=True)
class Body:
    """One posed body in the camera frame, in pixels of the final image.

    joints: (21, 3) x, y and depth.
    facing: (21,) bool, False for face joints on the far side of the head.
    head: centre (x, y, depth) and radius.
    axes: (3, 3), left, down and forward of the head in the camera frame.
    chest: the same for the chest.
    toes: (2, 3) x, y and depth, left and right.
    height: standing height.
    look: colours and dress.
    id: number of the body in its scene, for the id map.
    box: (x, y, width, height) around all that is drawn of it.
    """

    joints: np.ndarray
    facing: np.ndarray
    head: tuple[np.ndarray, float]
    axes: np.ndarray
    chest: np.ndarray
    toes: np.ndarray
    height: float
    look: PersonLook
    id: int = 0
    box: tuple[float, float, float, float] = field(default=(0.0, 0.0, 0.0, 0.0))

    def shift(self, dx: float, dy: float) -> None:
        """Move the body by (dx, dy) pixels."""
        for points in (self.joints, self.toes, self.head[0]):
            points[..., 0] += dx
            points[..., 1] += dy
        x, y, w, h = self.box
        self.box = (x + dx, y + dy, w, h)


def random_look(rng: np.random.Generator) -> PersonLook:
    """Colours for one person; the shirt's front panel always differs clearly from the shirt."""
    shirt = CLOTH[rng.integers(len(CLOTH))]
    bright = sum(shirt) > 390
    panel = tuple(int(c * 0.5) for c in shirt) if bright else tuple(int(c + 0.7 * (250 - c)) for c in shirt)
    return PersonLook(
        skin=SKIN[rng.integers(len(SKIN))],
        hair=HAIR[rng.integers(len(HAIR))],
        shirt=shirt,
        panel=panel,  # type: ignore[arg-type]
        trousers=TROUSERS[rng.integers(len(TROUSERS))],
        shoes=(50, 46, 52) if rng.random() < 0.6 else (200, 200, 205),
        long_sleeves=bool(rng.random() < 0.4),
        shorts=bool(rng.random() < 0.35),
        build=float(rng.uniform(0.9, 1.15)),
    )


# --- posing ------------------------------------------------------------------------------------------------------


def _turn(axis: int, angle: float) -> np.ndarray:
    """(3, 3) rotation about one axis."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
    return turn


def _limb(side: float, forward: float, outward: float) -> np.ndarray:
    """Direction of a limb that hangs down at (0, 0), swung forward and then outward (radians)."""
    return np.array(
        [side * np.sin(outward), np.cos(forward) * np.cos(outward), np.sin(forward) * np.cos(outward)], dtype=float
    )


def _bent(along: np.ndarray, towards: np.ndarray, angle: float) -> np.ndarray:
    """`along` rotated by `angle` towards the component of `towards` that is perpendicular to it."""
    square = towards - along * (along @ towards)
    return np.cos(angle) * along + np.sin(angle) * square / max(float(np.sqrt(square @ square)), 1e-6)


def _arm(rng: np.random.Generator, side: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Directions of upper arm and forearm in the chest frame."""
    low, high = {"raise": (1.7, 2.8), "spread": (1.0, 1.7)}.get(kind, (0.1, 0.75))
    upper = _limb(side, rng.uniform(-0.5, 0.7), rng.uniform(low, high))
    inward = np.array([-side * rng.uniform(-0.2, 1.0), rng.uniform(-1.0, 0.3), rng.uniform(0.2, 1.0)])
    return upper, _bent(upper, inward, rng.uniform(0.05, 1.9 if kind == "rest" else 1.2))


def _leg(rng: np.random.Generator, side: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Directions of thigh and shin in the pelvis frame: knees bend backwards."""
    forward, outward, bend = {
        "stand": ((-0.15, 0.25), (0.02, 0.2), (0.0, 0.25)),
        "walk": ((-0.5, 0.7), (0.0, 0.15), (0.05, 0.9)),
        "wide": ((-0.1, 0.3), (0.25, 0.65), (0.0, 0.5)),
        "sit": ((1.1, 1.6), (0.05, 0.4), (1.2, 1.8)),
        "jump": ((0.0, 1.2), (0.05, 0.5), (0.3, 1.7)),
    }[kind]
    thigh = _limb(side, rng.uniform(*forward), rng.uniform(*outward))
    return thigh, _bent(thigh, np.array([0.0, 0.0, -1.0]), rng.uniform(*bend))


def pose_body(rng: np.random.Generator, height: float) -> Body:
    """One body in a random pose, its pelvis at the origin.

    height: of the standing person, in pixels. Two thirds look towards the viewer, one third away.
    """
    look = random_look(rng)
    yaw = rng.uniform(-1.25, 1.25) + (np.pi if rng.random() < 1 / 3 else 0.0)
    camera = _turn(0, rng.uniform(-0.2, 0.1)) @ _turn(1, yaw)
    legs = ("stand", "walk", "walk", "wide", "sit", "jump")[rng.integers(6)]
    lean = _turn(2, rng.uniform(-0.2, 0.2)) @ _turn(0, rng.uniform(-0.1, 0.35))  # forward (about x) and sideways
    chest = lean @ _turn(1, rng.uniform(-0.3, 0.3))
    nod = chest @ _turn(1, rng.uniform(-0.55, 0.55)) @ _turn(0, rng.uniform(-0.25, 0.3))
    points = np.zeros((len(JOINTS), 3))
    toes = np.zeros((2, 3))
    points[18] = lean @ np.array([0.0, -0.285, 0.0])
    points[19] = points[18] + nod @ np.array([0.0, -0.05, 0.012])
    centre = points[19] + nod @ np.array([0.0, -0.085, 0.012])
    points[20] = centre + nod @ np.array([0.0, -HEAD_RADIUS * 1.08, 0.0])
    face = np.array([[0, 0.12, 1.02], [0.4, -0.16, 0.9], [-0.4, -0.16, 0.9], [1.02, 0.02, -0.05], [-1.02, 0.02, -0.05]])
    points[:5] = centre + HEAD_RADIUS * face @ nod.T
    arms = ("rest", "rest", "rest", "spread", "raise")
    for offset, side in ((0, 1.0), (1, -1.0)):
        points[5 + offset] = points[18] + chest @ np.array([side * 0.108, 0.022, 0.0])
        upper, fore = _arm(rng, side, arms[rng.integers(len(arms))])
        points[7 + offset] = points[5 + offset] + 0.165 * (chest @ upper)
        points[9 + offset] = points[7 + offset] + 0.15 * (chest @ fore)
        points[11 + offset] = np.array([side * 0.068, 0.0, 0.0])
        thigh, shin = _leg(rng, side, legs)
        points[13 + offset] = points[11 + offset] + 0.235 * thigh
        points[15 + offset] = points[13 + offset] + 0.225 * shin
        toes[offset] = points[15 + offset] + 0.075 * _bent(shin, np.array([side * 0.25, 0.0, 1.0]), 1.35)
    axes = camera @ nod
    facing = np.ones(len(JOINTS), dtype=bool)
    facing[:FACE_JOINTS] = (face @ axes.T)[:, 2] > 0.08
    body = Body(
        joints=height * points @ camera.T,
        facing=facing,
        head=(height * camera @ centre, height * HEAD_RADIUS),
        axes=axes,
        chest=camera @ chest,
        toes=height * toes @ camera.T,
        height=height,
        look=look,
    )
    body.box = _extent(body)
    return body


def _extent(body: Body) -> tuple[float, float, float, float]:
    """Box (x, y, w, h) around everything that is drawn of a body, hidden or not."""
    circles = [circle for part in _parts(body) for circle in part[2]]
    low = np.min([(p[0] - r, p[1] - r) for p, r in circles], axis=0)
    high = np.max([(p[0] + r, p[1] + r) for p, r in circles], axis=0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


# --- drawing -----------------------------------------------------------------------------------------------------

Part = tuple[str, tuple[int, int, int], list[Circle]]


def _parts(body: Body) -> list[Part]:
    """The capsules of a body, unsorted: name, colour, circles."""
    j, look, h = body.joints, body.look, body.height
    thick = h * look.build
    fore = look.shirt if look.long_sleeves else look.skin
    shin = look.skin if look.shorts else look.trousers
    waist = 0.25 * j[18] + 0.75 * j[17]
    parts: list[Part] = [
        ("torso", look.shirt, [(j[5], 0.034 * thick), (j[6], 0.034 * thick), (waist, 0.062 * thick)]),
        ("torso", look.trousers, [(j[11], 0.04 * thick), (j[12], 0.04 * thick), (waist, 0.056 * thick)]),
        ("neck", look.skin, [(j[18], 0.03 * h), (j[19], 0.028 * h)]),
        ("head", look.hair, [(body.head[0], body.head[1] * 1.06)]),
    ]
    for offset, side in ((0, "left"), (1, "right")):
        sho, elb, wri = j[5 + offset], j[7 + offset], j[9 + offset]
        hip, kne, ank = j[11 + offset], j[13 + offset], j[15 + offset]
        parts += [
            (f"{side}_upper_arm", look.shirt, [(sho, 0.032 * thick), (elb, 0.025 * thick)]),
            (f"{side}_forearm", fore, [(elb, 0.024 * thick), (wri, 0.018 * thick)]),
            (f"{side}_forearm", look.skin, [(wri, 0.022 * h), (wri + 0.2 * (wri - elb), 0.02 * h)]),
            (f"{side}_thigh", look.trousers, [(hip, 0.046 * thick), (kne, 0.034 * thick)]),
            (f"{side}_shin", shin, [(kne, 0.033 * thick), (ank, 0.022 * thick)]),
            (
                f"{side}_shin",
                look.shoes,
                [(ank + np.array([0, 0.012 * h, 0]), 0.024 * h), (body.toes[offset], 0.02 * h)],
            ),
        ]
    return parts


def draw_body(canvas: Canvas, body: Body) -> None:
    """Draw one body, its far parts first; every part has a dark rim, a middle and a light from above."""
    first = 1 + IDS_PER_PERSON * body.id
    pelvis = body.joints[17, 2]

    def depth(part: Part) -> float:
        name, _, circles = part
        near = float(np.mean([p[2] for p, _ in circles]))
        # The shirt hangs over the trousers, and a hand or foot ends its limb.
        return near + (0.004 * body.height if name == "torso" and part[1] == body.look.shirt else 0.0)

    for part in sorted(_parts(body), key=depth):
        name, colour, circles = part
        id = first + PARTS.index(name)
        light = 1.0 + 0.9 * (depth(part) - pelvis) / body.height
        light = min(1.12, max(0.74, light))
        canvas.hull(circles, 1.0, shade(colour, 0.62 * light), id)
        canvas.hull(circles, 0.8, shade(colour, 0.95 * light), id)
        canvas.hull(circles, 0.45, shade(colour, 1.1 * light), id, lift=0.22)
        if name == "torso" and colour == body.look.shirt:
            _draw_front(canvas, body, id)
        if name == "head":
            _draw_face(canvas, body, id)


def _draw_front(canvas: Canvas, body: Body, id: int) -> None:
    """The panel on the front of the shirt, which distinguishes the chest from the back."""
    forward = body.chest[:, 2]
    if forward[2] < 0.1:
        return
    j, h = body.joints, body.height
    surface = h * 0.03 * forward[:2]
    across = (j[5, :2] - j[6, :2]) * 0.24
    neck, waist = j[18, :2] + surface, 0.3 * j[18, :2] + 0.7 * j[17, :2] + surface
    down = waist - neck
    corners = [neck + 0.08 * down + across, neck + 0.08 * down - across, waist - 0.75 * across, waist + 0.75 * across]
    canvas.polygon(np.array(corners), shade(body.look.panel, 0.8 + 0.2 * float(forward[2])), id)


def _draw_face(canvas: Canvas, body: Body, id: int) -> None:
    """Face, eyes, nose, mouth and ears, drawn on the hair if they look towards the viewer."""
    centre, radius = body.head
    axes, look = body.axes, body.look

    def on_head(directions: np.ndarray) -> np.ndarray:
        return centre + radius * directions @ axes.T

    ears = np.array([[1.02, 0.02, -0.05], [-1.02, 0.02, -0.05]])
    for at, lit in zip(on_head(ears), (ears @ axes.T)[:, 2], strict=True):
        if lit > -0.25:
            canvas.hull([(at, radius * 0.24)], 1.0, shade(look.skin, 0.62), id)
            canvas.hull([(at, radius * 0.24)], 0.7, shade(look.skin, 0.9), id)
    turn = np.arange(24) * np.pi / 12
    # The face is a cap of the sphere; the part of its rim behind the head is moved to the head's outline.
    rim = np.stack([0.86 * np.cos(turn), 0.2 + 0.84 * np.sin(turn), np.full(24, 0.5)], axis=1)
    rim /= np.sqrt((rim**2).sum(axis=1, keepdims=True))
    seen = rim @ axes.T
    if (seen[:, 2] > 0).any():
        behind = seen[:, 2] < 0
        length = np.sqrt((seen[behind, :2] ** 2).sum(axis=1, keepdims=True))
        seen[behind, :2] /= np.maximum(length, 1e-6)
        canvas.polygon(centre[:2] + radius * seen[:, :2], look.skin, id)
    eye, lip, shadow = (30, 26, 24), (70, 60, 150), shade(look.skin, 0.66)
    marks = (
        (0.4, -0.16, 0.9, 0.13, eye),
        (-0.4, -0.16, 0.9, 0.13, eye),
        (0.0, 0.14, 1.05, 0.15, shadow),
        (0.13, 0.52, 0.83, 0.08, lip),
        (-0.13, 0.52, 0.83, 0.08, lip),
        (0.0, 0.54, 0.84, 0.08, lip),
    )
    for x, y, z, size, colour in marks:
        direction = np.array([x, y, z])
        if float((direction @ axes.T)[2]) > 0.08:
            canvas.hull([(on_head(direction), radius * size)], 1.0, colour, id)


# --- visibility ------------------------------------------------------------------------------------------------


def visibility(body: Body, ids: np.ndarray, fine: int) -> np.ndarray:
    """COCO's flags of the 21 joints from the finished id map: 2 visible, 1 hidden, 0 not labelled.

    Not labelled are joints outside the image and face joints on the far side of the person's own head.
    """
    flags = np.zeros(len(JOINTS), dtype=np.int64)
    height, width = ids.shape
    first = 1 + IDS_PER_PERSON * body.id
    for k, (x, y, _) in enumerate(body.joints):
        column, row = round((x + 0.5) * fine - 0.5), round((y + 0.5) * fine - 0.5)
        if not (0 <= column < width and 0 <= row < height) or not body.facing[k]:
            continue
        around = ids[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        own = [first + PARTS.index(name) for name in OWNERS[k]]
        flags[k] = 2 if np.isin(around, own).any() else 1
    return flags
