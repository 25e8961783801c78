"""Calls functions of `jobs` through an executor: in a process of their own, or in this one for debuggers."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from hrbench.runner.settings import Settings
from hrbench.types import Entry, Event


class InThis:
    def call(self, target: str, request: dict[str, Any], listen: Any, entry: Entry) -> dict[str, Any]:
        module, _, name = target.partition(":")
        return getattr(importlib.import_module(module), name)(request, listen)

    def close(self) -> None:
        pass


def executor_for(settings: Settings, folders: Sequence[str]) -> Any:
    return InThis()


__all__ = ["Event", "executor_for"]
