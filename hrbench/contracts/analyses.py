"""What a metric offers that can say why its scores are what they are."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from hrbench.types import Analysis, State


@runtime_checkable
class Analyses(Protocol):
    """A metric that analyses errors. Checked on the class.

    analysis_version: raised when a number of the analysis would change; stored scores do not depend on it.
    """

    analysis_version: int

    def analyse(self, predictions: Any, target: Any, state: State) -> Analysis:
        """Why the scores are what they are.

        predictions, target: what `read_predictions` and `read_target` gave.
        state: what `measure` made of them; its images are those that are analysed.
        """
        ...
