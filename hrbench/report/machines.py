"""The machines and dates of the runs of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hrbench.core import units


def merge(environments: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The environment that all runs share, with the dates of all, or one after another ("run 1", "run 2", ...).

    >>> merge([{"date": "2026-11-19", "cores": 8}, {"date": "2026-11-20", "cores": 8}])
    {'date': ['2026-11-19', '2026-11-20'], 'cores': 8}
    >>> merge([{"cores": 8}, {"cores": 4}])
    {'run 1': {'cores': 8}, 'run 2': {'cores': 4}}
    """
    different: list[Mapping[str, Any]] = []
    dates: list[list[str]] = []
    for environment in filter(None, environments):
        undated = _undated(environment)
        if undated not in different:
            different.append(undated)
            dates.append([])
        dates[different.index(undated)] += _dates(environment)
    joined = [_dated(environment, run_dates) for environment, run_dates in zip(different, dates, strict=True)]
    if len(joined) > 1:
        return {f"run {number}": environment for number, environment in enumerate(joined, 1)}
    return joined[0] if joined else {}


def dates_and_devices(environment: Mapping[str, Any]) -> list[str]:
    """Days, and GPUs or processors, of a merged environment: for the head of the page.

    >>> dates_and_devices({"date": "2026-11-20T09:30:00+00:00", "processor": "AMD EPYC", "gpus": []})
    ['20 November 2026', 'AMD EPYC']
    """
    dates: list[str] = []
    devices: list[str] = []
    for each in _runs(environment):
        dates += _dates(each)
        gpus = [str(gpu["name"]) for gpu in each.get("gpus") or [] if gpu.get("name")]
        devices += gpus or [str(each.get("processor") or "")]
    days = list(dict.fromkeys(units.date(date) for date in sorted(dates)))
    days = [f"{days[0]} to {days[-1]}"] if len(days) > 1 else days
    return [text for text in dict.fromkeys([*days, *devices]) if text]


def versions(environment: Mapping[str, Any]) -> list[str]:
    """The versions of hrbench that measured, with the commits of checkouts; of a merged environment.

    >>> versions({"hrbench": "0.2.0", "commit": "1a2b3c4d5e6f, changed"}), versions({})
    (['hrbench 0.2.0 at 1a2b3c4d5e6f, changed'], [])
    """
    found = dict.fromkeys(
        f"hrbench {each['hrbench']}" + (f" at {each['commit']}" if each.get("commit") else "")
        for each in _runs(environment)
        if each.get("hrbench")
    )
    return list(found)


def is_stated(environment: Mapping[str, Any], other: Any) -> bool:
    """Whether a merged environment contains `other`, dates aside."""
    return isinstance(other, Mapping) and any(_undated(each) == _undated(other) for each in _runs(environment))


def _runs(environment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    runs = [value for key, value in environment.items() if key.startswith("run ") and isinstance(value, Mapping)]
    return runs or [environment]


def _undated(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in environment.items() if key != "date"}


def _dates(environment: Mapping[str, Any]) -> list[str]:
    date = environment.get("date") or []
    return [str(each) for each in (date if isinstance(date, list) else [date])]


def _dated(environment: Mapping[str, Any], dates: Sequence[str]) -> dict[str, Any]:
    different = list(dict.fromkeys(dates))
    if not different:
        return dict(environment)
    return {"date": different[0] if len(different) == 1 else different, **environment}
