"""Which contract and which capabilities belong to which plug-ins."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from hrbench.contracts.analyses import Analyses
from hrbench.contracts.costs import CostProbe, FedImages, MeasuresInProcesses, NeedsOwnProcess
from hrbench.contracts.datasets import (
    DataSet,
    HasFolder,
    HasMetricArgs,
    HasPersonBoxes,
    HasScheme,
    Inspectable,
    ShowsTruth,
    Submits,
    TruthInSeveralFiles,
)
from hrbench.contracts.metrics import (
    DescribesPredictions,
    DescribesQuality,
    GainedNumbers,
    HasCriteria,
    JudgedByImage,
    JudgesAtMost,
    Metric,
    NotesInput,
)
from hrbench.contracts.networks import (
    CountedByPart,
    CountsLabels,
    DescribesCount,
    FixedBatch,
    FixedPrecision,
    KeepsAtMost,
    NamesLabels,
    OwnEngine,
    TakesScales,
)
from hrbench.contracts.runtimes import CountsCompilations, Foresees, Runtime
from hrbench.contracts.tasks import (
    ChecksOutput,
    ChoosesProtocol,
    FinishesBeside,
    ForwardsAhead,
    HasNotes,
    OffersProtocols,
    Renders,
    TalliesNotes,
    Task,
    TellsClasses,
)

REQUIRED: Mapping[str, type] = {
    "hrbench.datasets": DataSet,
    "hrbench.tasks": Task,
    "hrbench.metrics": Metric,
    "hrbench.costs": CostProbe,
    "hrbench.runtimes": Runtime,
}
"""Entry-point group -> the contract of what is constructed by it."""

OPTIONAL: Mapping[str, tuple[type, ...]] = {
    "hrbench.datasets": (
        HasScheme,
        HasFolder,
        Submits,
        Inspectable,
        ShowsTruth,
        HasPersonBoxes,
        HasMetricArgs,
        TruthInSeveralFiles,
    ),
    "hrbench.tasks": (
        OffersProtocols,
        ChoosesProtocol,
        ChecksOutput,
        HasNotes,
        TalliesNotes,
        Renders,
        TellsClasses,
        ForwardsAhead,
        FinishesBeside,
    ),
    "hrbench.metrics": (
        JudgedByImage,
        JudgesAtMost,
        NotesInput,
        DescribesPredictions,
        DescribesQuality,
        HasCriteria,
        GainedNumbers,
        Analyses,
    ),
    "hrbench.costs": (MeasuresInProcesses, NeedsOwnProcess, FedImages),
    "hrbench.runtimes": (HasNotes, CountsCompilations, Foresees),
    "hrbench.models": (
        FixedPrecision,
        FixedBatch,
        OwnEngine,
        DescribesCount,
        CountedByPart,
        TakesScales,
        CountsLabels,
        KeepsAtMost,
        NamesLabels,
    ),
}
"""Entry-point group -> the capabilities that hrbench uses. (`HasLevels` is used for backbones only.)"""


@cache
def members(contract: type) -> tuple[str, ...]:
    """Names of all members of a Protocol of this room, those of its bases included, sorted.

    >>> members(Submits), members(HasFolder)
    (('server', 'submit'), ('folder',))
    """
    found: set[str] = set()
    for base in contract.__mro__:
        if base.__module__.startswith(f"{__package__}."):
            found |= {*vars(base), *vars(base).get("__annotations__", {})}
    return tuple(sorted(name for name in found if not name.startswith("_")))
