"""What plug-ins offer: Protocols, from which nothing inherits.

One file and one entry-point line make a new plug-in (CONTRIBUTING.md); tests/laws hold the built-in ones to these.

- What hrbench requires is a contract: `DataSet`, `Task`, `Metric`, `CostProbe`, `Runtime`, `Network`.
- What a plug-in may offer in addition is a capability, a small Protocol for one purpose: `Submits`, `Inspectable`,
  `Renders` and others. A plug-in has a capability if it has all of its members; hrbench checks with `isinstance`.

`REQUIRED` and `OPTIONAL` list both by entry-point group. `hrbench check` and `hrbench run` report a missing member of
the contract, an incomplete capability, and a member that looks like a misspelt one.
"""

from __future__ import annotations

from hrbench.contracts.analyses import Analyses
from hrbench.contracts.costs import CostProbe, CostSubject, Evaluated, FedImages, MeasuresInProcesses, NeedsOwnProcess
from hrbench.contracts.datasets import (
    DataSet,
    HasFolder,
    HasMetricArgs,
    HasPersonBoxes,
    HasScheme,
    Inspectable,
    SchemeT_co,
    ShowsTruth,
    Submits,
    TruthInSeveralFiles,
)
from hrbench.contracts.executors import Executor, Job, MeasuresElsewhere, Outcome, PredictsShards
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
    HasLevels,
    HasParameters,
    KeepsAtMost,
    NamesLabels,
    Network,
    OwnEngine,
    TakesScales,
)
from hrbench.contracts.plugins import OPTIONAL, REQUIRED, members
from hrbench.contracts.runtimes import CountsCompilations, Foresees, HasSettings, Runtime
from hrbench.contracts.tasks import (
    AT_INPUT,
    LATER,
    PREPARES,
    ChecksOutput,
    ChoosesProtocol,
    Deferred,
    FinishesBeside,
    ForwardsAhead,
    HasNotes,
    OffersProtocols,
    Renders,
    TalliesNotes,
    Task,
    TellsClasses,
    TellsInput,
)

__all__ = [
    "AT_INPUT",
    "LATER",
    "OPTIONAL",
    "PREPARES",
    "REQUIRED",
    "Analyses",
    "ChecksOutput",
    "ChoosesProtocol",
    "CostProbe",
    "CostSubject",
    "CountedByPart",
    "CountsCompilations",
    "CountsLabels",
    "DataSet",
    "Deferred",
    "DescribesCount",
    "DescribesPredictions",
    "DescribesQuality",
    "Evaluated",
    "Executor",
    "FedImages",
    "FinishesBeside",
    "FixedBatch",
    "FixedPrecision",
    "Foresees",
    "ForwardsAhead",
    "GainedNumbers",
    "HasCriteria",
    "HasFolder",
    "HasLevels",
    "HasMetricArgs",
    "HasNotes",
    "HasParameters",
    "HasPersonBoxes",
    "HasScheme",
    "HasSettings",
    "Inspectable",
    "Job",
    "JudgedByImage",
    "JudgesAtMost",
    "KeepsAtMost",
    "MeasuresElsewhere",
    "MeasuresInProcesses",
    "Metric",
    "NamesLabels",
    "NeedsOwnProcess",
    "Network",
    "NotesInput",
    "OffersProtocols",
    "Outcome",
    "OwnEngine",
    "PredictsShards",
    "Renders",
    "Runtime",
    "SchemeT_co",
    "ShowsTruth",
    "Submits",
    "TakesScales",
    "TalliesNotes",
    "Task",
    "TellsClasses",
    "TellsInput",
    "TruthInSeveralFiles",
    "members",
]
