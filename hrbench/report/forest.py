"""A difference with its interval against its margin, as a small drawing in a cell of a table.

All drawings of a page have one scale, in margins: five of them on either side of no change. The shaded band is one
margin on either side; what lies left of it is worse than the margin allows. An arrowhead says that something goes on
beyond the edge. Where the margin is 0, the difference itself is the scale.
"""

from __future__ import annotations

from hrbench.judge.rows import Row

WIDTH, HEIGHT = 132, 18
_EDGE = 4
MARGINS = 5
"""Half the width of a drawing, in margins."""


def forest(row: Row) -> str:
    """An inline `<svg>`, the better direction to the right; "" without a difference.

    It is hidden from screen readers, for which the same numbers stand in the cell beside it.
    """
    evidence, margin = row.evidence, row.judgement.margin
    if evidence.difference is None:
        return ""
    low, high = evidence.interval or (evidence.difference, evidence.difference)
    reach = MARGINS * margin or max(abs(low), abs(high), 1e-12)

    def x(value: float) -> float:
        within = min(max(value / reach, -1.0), 1.0)
        return round(WIDTH / 2 + within * (WIDTH / 2 - _EDGE), 1)

    middle = HEIGHT / 2
    parts = []
    if margin:
        width = f"{x(margin) - x(-margin):.1f}"
        parts.append(f'<rect class="band" x="{x(-margin)}" y="1" width="{width}" height="{HEIGHT - 2}"/>')
    parts.append(f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="1" y2="{HEIGHT - 1}"/>')
    if high > low:
        parts.append(f'<line class="interval" x1="{x(low)}" x2="{x(high)}" y1="{middle}" y2="{middle}"/>')
    for beyond, tip, back in ((low < -reach, 0, 5), (high > reach, WIDTH, WIDTH - 5)):
        if beyond:
            parts.append(f'<path class="beyond" d="M{tip} {middle}L{back} {middle - 3}V{middle + 3}Z"/>')
    if abs(evidence.difference) <= reach:
        kind = row.verdict.replace(" ", "-")
        parts.append(f'<circle class="{kind}" cx="{x(evidence.difference)}" cy="{middle}" r="3"/>')
    return (
        f'<svg class="forest" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )
