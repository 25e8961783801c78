"""history.html: series over releases with their changes, as one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hrbench.core import units
from hrbench.judge.history import History
from hrbench.judge.trend import Trend
from hrbench.report import trend as words
from hrbench.report.page import environment, policy, text_of
from hrbench.report.trend_plot import plot
from hrbench.version import __version__


def render_history(history: History, trends: Sequence[Trend]) -> str:
    """The whole page. trends: in the order in which they are shown."""
    templates = environment()
    templates.globals.update(
        heading=words.heading, value=words.value_text, change=words.change_text, sentence=words.sentence,
        rows=words.trend_rows, method=words.method, plot=lambda trend: Markup(plot(trend)),
        date=lambda release: units.date(release.date) if release.date else "–",
    )  # fmt: skip
    changed = [one for one in trends if any(row.change is not None for row in words.trend_rows(one))]
    css, own_css = text_of("report.css"), text_of("history.css")
    return templates.get_template("history.html.j2").render(
        history=history,
        trends=trends,
        changed=changed,
        number=units.amount,
        version=__version__,
        css=css,
        own_css=own_css,
        policy=policy([css + own_css]),
    )
