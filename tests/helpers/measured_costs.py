"""All costs of an entry, measured in this process."""

from __future__ import annotations

from hrbench.runner.costs import cost_cells, measure_cell
from hrbench.runner.settings import Settings
from hrbench.types import Entry, Measurement


def measured_costs(entry: Entry, settings: Settings) -> list[Measurement]:
    """What a run measures of an entry, cell by cell."""
    return [cost for cell in cost_cells(entry) for cost in measure_cell(entry, cell, settings, lambda event: None)]
