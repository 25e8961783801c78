"""The form of `gate:` and of policy files as pydantic models, and its JSON Schema for editors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hrbench.types import Tier

PERCENT = r"^\s*\d{1,9}(\.\d{1,30})?\s*%\s*$"


DAY = r"^\d{4}-\d{2}-\d{2}$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Absolute = Annotated[float, Field(ge=0)]
Percent = Annotated[str, Field(pattern=PERCENT)]


class MarginFields(_Strict):
    """An absolute and a relative margin; the larger counts."""

    points: Absolute | None = Field(None, description="Points of a percentage; the quantity's own unit for others.")
    relative: Percent | None = Field(None, description="A share of the former value: 3%.")


MarginValue = Absolute | Percent | MarginFields


class RuleFields(_Strict):
    """What becomes of the numbers that fit; the last rule that fits decides."""

    quantity: Annotated[str, Field(min_length=1)] = Field("*", description="A pattern for NAME or METRIC/NAME.")
    entry: Annotated[str, Field(min_length=1)] = Field("*", description="A pattern for names of entries.")
    tier: Tier | None = Field(None, description="required blocks, watched is told, ignored is neither.")
    margin: MarginValue | None = Field(None, description="How much worse the number may be.")


class FloorFields(_Strict):
    """A bound for the numbers of some entries."""

    floor: str = Field(description="QUANTITY >= BOUND or QUANTITY <= BOUND; fractions are between 0 and 1.")
    entry: Annotated[str, Field(min_length=1)] = Field("*", description="A pattern for names of entries.")


class WaiverFields(_Strict):
    """A regression that is accepted until a day."""

    quantity: Annotated[str, Field(min_length=1)] = Field(description="A pattern for NAME or METRIC/NAME.")
    entry: Annotated[str, Field(min_length=1)] = Field("*", description="A pattern for names of entries.")
    reason: Annotated[str, Field(min_length=1)] = Field(description="Why; shown wherever the row is.")
    until: Annotated[str, Field(pattern=DAY)] = Field(description="The last day, 2027-01-31.")


class GateFields(_Strict):
    """What a gate holds a release to."""

    model_config = ConfigDict(title="hrbench policy", extra="forbid", strict=True)

    open: Literal["warn", "block"] = Field("warn", description="What a required number does that cannot be told.")
    margins: dict[str, MarginValue] | None = Field(None, description="NAME or METRIC/NAME -> how much worse it may be.")
    rules: list[RuleFields] | None = Field(None, description="Tiers and margins, from top to bottom.")
    floors: list[str | FloorFields] | None = Field(None, description="Bounds whatever a number was before.")
    waivers: list[WaiverFields] | None = Field(None, description="Regressions that are accepted for a time.")


def policy_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of policy files."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **GateFields.model_json_schema()}
