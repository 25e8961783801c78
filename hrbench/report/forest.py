"""A difference with its interval against its margin, as a small drawing in a cell of a table.

Its width is the margin three times over on either side of no change, or the interval if that is wider: what lies left
of the shaded band is worse than the margin allows.
"""

from __future__ import annotations

from hrbench.judge.rows import Row

WIDTH, HEIGHT = 132, 18
_EDGE = 4


def forest(row: Row) -> str:
    """An inline `<svg>`, the better direction to the right; "" without a difference.

    It is hidden from screen readers, for which the same numbers stand in the cell beside it.
    """
    evidence, margin = row.evidence, row.judgement.margin
    if evidence.difference is None:
        return ""
    low, high = evidence.interval or (evidence.difference, evidence.difference)
    reach = max(3 * margin, abs(low), abs(high), 1e-12)

    def x(value: float) -> float:
        return round(WIDTH / 2 + value / reach * (WIDTH / 2 - _EDGE), 1)

    middle = HEIGHT / 2
    parts = []
    if margin:
        width = f"{x(margin) - x(-margin):.1f}"
        parts.append(f'<rect class="band" x="{x(-margin)}" y="1" width="{width}" height="{HEIGHT - 2}"/>')
    parts.append(f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="1" y2="{HEIGHT - 1}"/>')
    if high > low:
        parts.append(f'<line class="interval" x1="{x(low)}" x2="{x(high)}" y1="{middle}" y2="{middle}"/>')
    parts.append(f'<circle class="{row.verdict.replace(" ", "-")}" cx="{x(evidence.difference)}" cy="{middle}" r="3"/>')
    return (
        f'<svg class="forest" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )
