"""Results as a table of numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
from report_factory import make, of, spend

from hrbench.store.dataframe import COLUMNS, frame
from hrbench.types import Reason, RuntimeSettings

FIRST = (
    "entry", "model", "dataset", "status", "metric", "quantity", "unit", "value", "low", "high", "n", "batch", "dtype",
    "limited", "reason", "use", "mode", "stability", "p90_bound", "p99_bound", "device", "runtime", "threads", "inputs",
    "weights", "caches", "passes", "spread", "unstable_because",
)  # fmt: skip


def test_scores_and_costs_are_rows_of_one_table():
    score = of("AP", 0.75, (0.7, 0.8), n=16)
    none = of("APL", None, reason=Reason("no annotated person of large area"))
    timed = spend("latency", 0.1, "seconds", batch=2, dtype="float32", interval=(0.09, 0.12), mode="quick",
                  stability="unstable", p90_bound=0.13)  # fmt: skip
    table = frame([make("a", score, none, costs=(timed, spend("macs", None, reason="no rule")))])
    assert tuple(table.columns) == COLUMNS == FIRST
    assert list(table["metric"]) == ["coco-keypoints", "coco-keypoints", "cost", "cost"]
    assert list(table["quantity"]) == ["AP", "APL", "latency", "macs"]
    assert (table["low"][0], table["high"][0], table["n"][0]) == (0.7, 0.8, 16)
    assert (table["low"][2], table["high"][2], table["batch"][2], table["dtype"][2]) == (0.09, 0.12, 2, "float32")
    assert math.isnan(table["value"][1]) and table["n"][1] == 0 and pd.isna(table["n"][2])
    assert (table["mode"][2], table["stability"][2]) == ("quick", "unstable") and pd.isna(table["mode"][0])
    assert list(table["reason"]) == ["", "no annotated person of large area", "", "no rule"]
    assert table["p90_bound"][2] == 0.13 and pd.isna(table["p99_bound"][2]) and pd.isna(table["p90_bound"][0])
    assert pd.isna(table["batch"][0]) and pd.isna(table["dtype"][0])


def test_an_entry_without_a_score_has_a_row_with_its_reasons():
    missing = (Reason("no images", "get them"), Reason("no weights"))
    table = frame([make("a", status="empty", reasons=missing)])
    assert list(table["reason"]) == ["no images; get them; no weights"] and list(table["status"]) == ["empty"]


def test_costs_say_how_they_were_run_what_was_fed_and_how_they_spread():
    under = {"dtype": "float32", "device": "a CPU", "threads": 2}
    costs = (
        spend(
            "latency", 0.1, "seconds", **under, inputs="8 images of pets", weights="official", caches="cold", passes=9
        ),
        spend(
            "throughput", 9.0, "rate", **under, runtime="compile", stability="unstable", stability_reasons=("drift",)
        ),
        spend("macs-on-images", 2e9, images=8, spread=1e8, inputs="8 images of pets", weights="official"),
        spend("memory-weights", 2e9, "bytes", dtype="float32"),
    )
    table = frame([make("a", of("AP", 0.7), costs=costs)]).set_index("quantity")
    told = ["device", "runtime", "threads", "inputs", "weights", "caches", "passes"]
    assert list(table.loc["latency", told]) == ["a CPU", "eager", 2, "8 images of pets", "official", "cold", 9]
    assert list(table.loc["throughput", told[:5]]) == ["a CPU", "compile", 2, "standard normal", "random"]
    assert table.loc["throughput", "unstable_because"] == "drift"
    assert table.loc["macs-on-images", "spread"] == 1e8 and table.loc["macs-on-images", "weights"] == "official"
    assert table.loc["memory-weights", told].isna().all()
    assert table.loc["AP", "runtime"] == "eager" and pd.isna(table.loc["AP", "threads"])
    assert table["threads"].dtype == "Int64" and pd.isna(table.loc["throughput", "spread"])


def test_a_network_in_a_file_has_its_own_runtime_and_weights():
    one = make("a", costs=(spend("latency", 0.1, "seconds", device="a CPU"),))
    own = replace(one, entry=replace(one.entry, runtime=RuntimeSettings("own")))
    table = frame([own])
    assert table["runtime"][0] == "own" and pd.isna(table["weights"][0]) and table["inputs"][0] == "standard normal"
