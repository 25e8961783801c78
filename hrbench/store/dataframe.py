"""Results as a pandas table, one row for each number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from hrbench.store.number_rows import COLUMNS, NUMBERS, SAMPLES, WHOLE, number_rows
from hrbench.types import Result


def frame(results: Iterable[Result], samples: bool = False) -> pd.DataFrame:
    """One row for each number of each result; `hrbench.frame` tells the columns.

    samples: whether a column of the raw measurements is added, each a list.
    """
    rows = number_rows(results, samples)
    types: dict[Any, Any] = {**dict.fromkeys(NUMBERS, float), **dict.fromkeys(WHOLE, "Int64")}  # Int64 may be missing
    return pd.DataFrame(rows, columns=[*COLUMNS, *([SAMPLES] if samples else [])]).astype(types)
