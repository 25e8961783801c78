"""Numbers of label maps that are told only if they are asked for: accuracy of each class, and Dice.

Of class t, n_tt pixels are right, t_t annotated and p_t predicted, of those that are judged. Accuracy = n_tt / t_t
(Long et al., CVPR 2015, section 5), Dice = 2 n_tt / (t_t + p_t) (Dice, Ecology 26, 1945): the F1 score of pixels.

A class that is neither annotated nor predicted has a Dice of 0 / 0. Packages differ in what they make of it
(docs/which-number.md), so a metric that tells Dice is told it, in one word:

    left_out    it has none, and means are over the others
    one         it counts as 1: nothing was to be found, and nothing was
    zero        it counts as 0

and where pixels are counted: over the whole "set", as for IoU, or in each "image", whose Dice are then averaged over
the images: those of a class, and for the mean each image's mean over its classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np

from hrbench.errors import UsageError
from hrbench.metrics.existing import mean
from hrbench.metrics.labels.overlap import dice
from hrbench.types import Quantity

Empty = Literal["left_out", "one", "zero"]
Over = Literal["set", "image"]
_WORDS: dict[Empty, str] = {"left_out": "left out", "one": "1", "zero": "0"}
_FILL: dict[Empty, float] = {"left_out": np.nan, "one": 1.0, "zero": 0.0}


@dataclass(frozen=True)
class AskedNumbers:
    """What is told besides the usual numbers.

    class_accuracy: the accuracy of each class.
    dice: Dice of each class and their mean, and what it is where a class is neither annotated nor predicted; None: no
        Dice.
    dice_over: whether pixels are counted over the whole set, or in each image.
    """

    class_accuracy: bool = False
    dice: Empty | None = None
    dice_over: Over = "set"

    def __post_init__(self) -> None:
        if self.dice is not None and self.dice not in get_args(Empty):
            raise UsageError(
                f"dice {self.dice!r}: say what Dice is of a class that is neither annotated nor predicted: left_out, "
                "one or zero"
            )
        if self.dice_over not in get_args(Over):
            raise UsageError(f"dice_over {self.dice_over!r}: say set or image")
        if self.dice_over != "set" and self.dice is None:
            raise UsageError(f"dice_over: {self.dice_over} is about Dice: set `dice` as well (left_out, one or zero)")
        if not isinstance(self.class_accuracy, bool):
            raise UsageError(f"class_accuracy {self.class_accuracy!r}: say true or false")

    def __bool__(self) -> bool:
        return self.class_accuracy or self.dice is not None

    def params(self) -> dict[str, Any]:
        """The parameters of a state that say so; none if nothing is asked for."""
        accuracy = {"class_accuracy": True} if self.class_accuracy else {}
        return accuracy | ({"dice": self.dice, "dice_over": self.dice_over} if self.dice is not None else {})

    @classmethod
    def of_params(cls, params: Mapping[str, Any]) -> AskedNumbers:
        """What a state was measured for."""
        return cls(params.get("class_accuracy", False), params.get("dice"), params.get("dice_over", "set"))

    def overall(self) -> tuple[Quantity, ...]:
        """The mean Dice, if it is asked for."""
        if self.dice is None:
            return ()
        whole, each = "Mean over classes of Dice over all pixels", "Mean over images of their mean Dice over classes"
        what = whole if self.dice_over == "set" else each
        return (Quantity("mDice", "mDice", "fraction", "higher", f"{what}; {self._convention()}; n is images."),)

    def single(self, names: Sequence[str]) -> tuple[Quantity, ...]:
        """The numbers of each class: accuracies, then Dice."""
        found = []
        if self.class_accuracy:
            text = "Share of the pixels annotated as {} that are right; n is images."
            found += [Quantity(f"acc/{x}", f"{x} acc.", "fraction", "higher", text.format(x)) for x in names]
        if self.dice is not None:
            over = "over all pixels" if self.dice_over == "set" else "mean over images"
            text = f"Dice of {{}}, {over}; {self._convention()}; n is images."
            found += [Quantity(f"Dice/{x}", f"{x} Dice", "fraction", "higher", text.format(x)) for x in names]
        return tuple(found)

    def _convention(self) -> str:
        assert self.dice is not None
        return f"neither annotated nor predicted: {_WORDS[self.dice]}"


class AskedTable:
    """The asked numbers as a function of image weights.

    table: (I, 3, C) float64, whole numbers, of each image: pixels right, annotated and predicted of each class.
    """

    def __init__(self, asked: AskedNumbers, table: np.ndarray) -> None:
        self.asked, self.table = asked, table
        self._values, self._exist = np.zeros((0, 0)), np.zeros((0, 0))
        if asked.dice is not None and asked.dice_over == "image":
            filled = self._filled(dice(table))
            each = np.concatenate([mean(filled)[:, None], filled], axis=1)  # (I, 1 + C)
            self._exist = (~np.isnan(each)).astype(np.float64)
            self._values = np.where(np.isnan(each), 0.0, each)

    def at(self, weights: np.ndarray, once: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(overall (B, K), single (B, M)) if image i counts `weights`[b, i] times; weights (B, I).

        once: (I,) the weights of the images of which `weights` are resamples: in means over classes, a class that does
            not occur in a resample keeps its number of them. None if they are no resamples.
        """
        counts = np.tensordot(weights, self.table, 1)
        held = None if once is None else np.tensordot(once, self.table, 1)
        if not len(self._values):
            return self._of_counts(counts, held)
        # fractions are added image by image, in the same order whatever is asked together
        sums = np.stack([(times[:, None] * self._values).sum(axis=0) for times in weights])
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / (weights @ self._exist)
        _, single = self._of_counts(counts, held)
        return means[:, :1], np.concatenate([single[:, : -self.table.shape[2]], means[:, 1:]], axis=1)

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        """(overall (K,), single (M,)) of all images."""
        overall, single = self.at(np.ones((1, len(self.table))))
        return overall[0], single[0]

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """(overall (I, K), single (I, M)) of each single image."""
        return self._of_counts(self.table, None)

    def _of_counts(self, counts: np.ndarray, held: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of counts (..., 3, C); Dice over all their pixels."""
        overall, single = [], []
        if self.asked.class_accuracy:
            with np.errstate(invalid="ignore", divide="ignore"):
                single.append(counts[..., 0, :] / counts[..., 1, :])
        if self.asked.dice is not None:
            own = dice(counts)
            single.append(self._filled(own))
            kept = own if held is None else np.where(np.isnan(own), dice(held), own)
            overall.append(mean(self._filled(kept)))
        lead = counts.shape[:-2]
        return (
            np.stack(overall, axis=-1) if overall else np.zeros((*lead, 0)),
            np.concatenate(single, axis=-1) if single else np.zeros((*lead, 0)),
        )

    def _filled(self, values: np.ndarray) -> np.ndarray:
        assert self.asked.dice is not None
        return np.where(np.isnan(values), _FILL[self.asked.dice], values)


class UsualNumbers(Protocol):
    """The numbers of a metric that are told in any case, overall ones first: `Q` of them."""

    def at(self, weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        """(B, Q) under image weights (B, I); once: as of `AskedTable.at`."""
        ...

    def all(self) -> np.ndarray:
        """(Q,) of all images."""
        ...

    def images(self) -> np.ndarray:
        """(I, Q) of each single image."""
        ...


class ToldNumbers:
    """All numbers of a metric: the usual ones, with those that are asked for behind the overall ones and at the end.

    usual: of the same images.
    overall: how many of the usual numbers are of no single class.
    asked: what is told besides.
    table: as of `AskedTable`.
    """

    def __init__(self, usual: UsualNumbers, overall: int, asked: AskedNumbers, table: np.ndarray) -> None:
        self.usual, self.asked = usual, asked
        self._overall, self._further = overall, AskedTable(asked, table)

    def at(self, weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        """(B, all of them) under image weights (B, I); once: as of `AskedTable.at`."""
        usual = self.usual.at(weights, once)
        return self._with(usual, self._further.at(weights, once)) if self.asked else usual

    def all(self) -> np.ndarray:
        """(all of them,) of all images."""
        return self._with(self.usual.all(), self._further.all()) if self.asked else self.usual.all()

    def images(self) -> np.ndarray:
        """(I, all of them) of each single image."""
        return self._with(self.usual.images(), self._further.images()) if self.asked else self.usual.images()

    def _with(self, usual: np.ndarray, asked: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        overall, single = asked
        return np.concatenate([usual[..., : self._overall], overall, usual[..., self._overall :], single], axis=-1)
