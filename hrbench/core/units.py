"""The one place where a number becomes text: points, millions, billions of operations, milliseconds, mebibytes.

Numbers are stored in base units (fractions, counts, seconds, bytes, joules, images per second, operations per byte and
per second) and shown in the units of the field's tables. `divisor` says how much of the base unit one shown unit is;
every other function here builds on it, so that a table, a plot and a CSV file cannot disagree. A minus is the
typographic one (−) in text and ASCII in CSV.

>>> show(0.7441, "fraction"), show(28_536_113, "count"), show(7_645_274_112, "operations"), show(0.04567, "seconds")
('74.4', '28.5', '7.645', '45.7')
>>> signed(-0.0012, "fraction"), signed(0.0104, "fraction"), signed(-0.0002, "fraction")
('−0.1', '+1.0', '0.0')
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from hrbench.types import Unit

MINUS = "−"
NAMES: dict[str, str] = {
    "fraction": "points",
    "count": "M",
    "operations": "G",
    "seconds": "ms",
    "bytes": "MiB",
    "joules": "J",
    "rate": "img/s",
    "pixels": "px",
    "number": "",
    "intensity": "FLOP/byte",
    "speed": "GFLOP/s",
}
_DIVISORS: dict[str, float] = {
    "fraction": 1e-2,
    "count": 1e6,
    "operations": 1e9,
    "seconds": 1e-3,
    "bytes": 2.0**20,
    "joules": 1.0,
    "rate": 1.0,
    "pixels": 1.0,
    "number": 1.0,
    "intensity": 1.0,
    "speed": 1e9,
}
# Units whose values span decades are shown to three significant digits, the others to fixed decimals.
_DECIMALS: dict[str, int] = {"fraction": 1, "count": 1, "operations": 3, "pixels": 2}
# Smaller values would be shown as 0 with a fixed number of decimals; in shown units.
_SMALL: dict[str, float] = {"count": 0.1, "operations": 0.01}


def divisor(unit: Unit, own: float | None = None) -> float:
    """How much of the base unit one shown unit is.

    own: the quantity's divisor (`Quantity.divisor`), None for that of the unit; the same in all functions here.

    >>> divisor("operations"), divisor("operations", 2.0**30)
    (1000000000.0, 1073741824.0)
    """
    return _DIVISORS[unit] if own is None else own


def shown(value: float, unit: Unit, own: float | None = None) -> float:
    """The value in the unit it is shown in.

    >>> shown(0.744, "fraction"), shown(0.25, "seconds")
    (74.4, 250.0)
    """
    return float(f"{value / divisor(unit, own):.12g}")


def show(value: float, unit: Unit, decimals: int | None = None, own: float | None = None) -> str:
    """The value as a table writes it, without its unit; "–" if it is not a finite number.

    Parameters below 0.1 M and operations below 0.01 G have three significant digits, whatever `decimals` says.

    >>> show(7_645_274_112, "operations", own=2.0**30), show(0.88532, "fraction", 3), show(float("nan"), "count")
    ('7.120', '88.532', '–')
    >>> show(1_874, "count", 2), show(31_616, "count"), show(1_740_000, "operations"), show(0, "count")
    ('0.00187', '0.0316', '0.00174', '0.0')
    """
    if 0 < abs(shown(value, unit, own)) < _SMALL.get(unit, 0.0):
        return _typographic(significant(shown(value, unit, own)))
    return _fixed(value, unit, decimals, own)


def _fixed(value: float, unit: Unit, decimals: int | None, own: float | None) -> str:
    """The value with the decimals asked for, or those of its unit."""
    if not math.isfinite(value):
        return "–"
    number = shown(value, unit, own)
    if unit == "number" and decimals is None:
        return _typographic(f"{number:.2g}")
    if decimals is None:
        decimals = _DECIMALS.get(unit)
    return _typographic(significant(number) if decimals is None else f"{number:.{decimals}f}")


def significant(number: float, digits: int = 3) -> str:
    """At least `digits` significant digits, never an exponent, no digit of the whole part dropped.

    >>> [significant(x) for x in (0.04567, 0.4567, 4.567, 45.67, 456.7, 4567.0, 0.0)]
    ['0.0457', '0.457', '4.57', '45.7', '457', '4567', '0']
    """
    if number == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    return f"{number:.{decimals}f}"


def with_unit(value: float, unit: Unit, decimals: int | None = None, own: float | None = None) -> str:
    """The value and its unit, for sentences and hover texts.

    >>> with_unit(0.744, "fraction"), with_unit(0.0312, "seconds"), with_unit(3 * 2**20, "bytes")
    ('74.4 points', '31.2 ms', '3.00 MiB')
    >>> with_unit(0.00000312, "number"), exact(0.00000312, "number")
    ('3.1e−06', '3.12e−06')
    >>> with_unit(1234.5, "rate")
    '1234 img/s'
    """
    return f"{show(value, unit, decimals, own)} {NAMES[unit]}".rstrip()


def exact(value: float, unit: Unit) -> str:
    """Everything that is known of a value, for a hover text: counts to the last one, fractions to four decimals.

    >>> exact(28_536_113, "count"), exact(7_645_274_112, "operations"), exact(0.74412345, "fraction")
    ('28,536,113', '7,645,274,112', '74.4123 points')
    """
    if not math.isfinite(value):
        return "–"
    if unit in ("count", "operations"):
        return _typographic(f"{value:,.0f}")
    if unit == "fraction":
        return _typographic(f"{shown(value, unit):.4f} points")
    if unit == "number":
        return _typographic(f"{value:.5g}")
    return _typographic(f"{significant(shown(value, unit), 5)} {NAMES[unit]}")


def interval(low: float, high: float, unit: Unit, decimals: int | None = None, own: float | None = None) -> str:
    """An interval in square brackets.

    >>> interval(0.7361, 0.7522, "fraction")
    '[73.6, 75.2]'
    """
    return f"[{show(low, unit, decimals, own)}, {show(high, unit, decimals, own)}]"


def signed(value: float, unit: Unit, decimals: int | None = None, own: float | None = None) -> str:
    """A difference with its sign; one that rounds to zero has no sign.

    >>> signed(0.003, "seconds"), signed(-1_500_000, "count"), signed(-0.0, "fraction")
    ('+3.00', '−1.5', '0.0')
    """
    if not math.isfinite(value):
        return "–"
    text = _fixed(abs(value), unit, decimals, own)
    if not text.strip("0."):
        return text
    return ("+" if value > 0 else MINUS) + text


def percent(fraction: float) -> str:
    """A share of a whole.

    >>> percent(0.123)
    '12.3 %'
    """
    return f"{shown(fraction, 'fraction'):.1f} %"


def duration(seconds: float) -> str:
    """Wall time in the largest units that matter.

    >>> duration(0.0312), duration(4.25), duration(75.0), duration(7_384.0)
    ('31.2 ms', '4.2 s', '1 min 15 s', '2 h 03 min')
    """
    if not math.isfinite(seconds):
        return "–"
    if seconds < 1:
        return f"{significant(seconds * 1e3)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def amount(count: int, noun: str, plural: str = "") -> str:
    """A count and its noun.

    >>> amount(1, "entry", "entries"), amount(1250, "image")
    ('1 entry', '1,250 images')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """Names after commas, and how many there are beside the first of them.

    >>> listed(["a", "b", "c"], 2), listed(["a", "b"], 2)
    ('a, b, and 1 more', 'a, b')
    """
    return ", ".join([*names[:most], *([f"and {len(names) - most} more"] if len(names) > most else [])])


def date(text: str, clock: bool = False) -> str:
    """The day of an ISO time, for a reader, on request with the time of day; any other text unchanged.

    >>> date("2025-03-09T14:05:33+00:00"), date("2025-03-09T14:05:33+00:00", clock=True), date("unknown")
    ('9 March 2025', '9 March 2025, 14:05 UTC', 'unknown')
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    day = f"{moment.day} {moment:%B %Y}"
    if not clock:
        return day
    zone = f" {moment.tzname()}" if moment.tzinfo else ""
    return f"{day}, {moment:%H:%M}{zone}"


def size(shape: tuple[int, int]) -> str:
    """An input size as the literature writes it, height first; "" for the size (0, 0), of an entry without a network.

    >>> size((256, 192)), size((0, 0))
    ('256×192', '')
    """
    return f"{shape[0]}×{shape[1]}" if all(shape) else ""


def _typographic(text: str) -> str:
    return text.replace("-", MINUS)
