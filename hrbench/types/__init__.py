"""The nouns of hrbench: frozen dataclasses that every floor above may use.

Standard library only, so that importing a noun never imports a framework. Everything here is plain data that
turns into JSON and back without loss (`store/results.py` does it for results).

Frames and units, unless stated otherwise: pixel coordinates are (x, y) in the original image with the centre
of the top-left pixel at (0, 0); sizes of images are (width, height) in pixels; inputs of networks are (height, width)
as the literature writes them ("256x192"); accuracies are fractions in [0, 1]; times are seconds.
"""

from __future__ import annotations

from hrbench.types.analyses import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisSection, AnalysisTable
from hrbench.types.conditions import BatchTime, Conditions
from hrbench.types.measurements import Better, Measurement, Quantity, Unit
from hrbench.types.networks import NOT_READ, TASKS, LibraryInput, ModelRef, RuntimeSettings, Variant
from hrbench.types.notes import Missing, Note, Reason, Remark
from hrbench.types.policies import Floor, Margin, Policy, Rule, Tier, Waiver
from hrbench.types.results import (
    DatasetRecord,
    Drawing,
    Event,
    FileRecord,
    MetricRecord,
    Provenance,
    Result,
    Status,
    WeightsRecord,
)
from hrbench.types.samples import ClassScheme, Item, KeypointScheme, Person, Prediction, PredictionForm, Sample
from hrbench.types.shards import Shard
from hrbench.types.states import ByImage, State
from hrbench.types.suites import IMAGES, DatasetRow, Entry, Known, Suite

__all__ = [
    "IMAGES",
    "NOT_READ",
    "TASKS",
    "Analysis",
    "AnalysisCurves",
    "AnalysisMatrix",
    "AnalysisSection",
    "AnalysisTable",
    "BatchTime",
    "Better",
    "ByImage",
    "ClassScheme",
    "Conditions",
    "DatasetRecord",
    "DatasetRow",
    "Drawing",
    "Entry",
    "Event",
    "FileRecord",
    "Floor",
    "Item",
    "KeypointScheme",
    "Known",
    "LibraryInput",
    "Margin",
    "Measurement",
    "MetricRecord",
    "Missing",
    "ModelRef",
    "Note",
    "Person",
    "Policy",
    "Prediction",
    "PredictionForm",
    "Provenance",
    "Quantity",
    "Reason",
    "Remark",
    "Result",
    "Rule",
    "RuntimeSettings",
    "Sample",
    "Shard",
    "State",
    "Status",
    "Suite",
    "Tier",
    "Unit",
    "Variant",
    "Waiver",
    "WeightsRecord",
]
