"""The Markdown of a table, as a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from report_factory import sample_table

from hrbench.report.markdown import escape, render_markdown

EXPECTED = """\
## Title

A caption.

| Model | Params (M) ↓ | AP ↑ | AP 95 % interval | AP published | AP difference | Latency: batch 1 ↓ |
| :-- | --: | --: | --: | --: | --: | --: |
| *HRNet* |  |  |  |  |  |  |
| HRNet-W32 | 28.5 | **74.1** | \\[73.4, 74.9\\] | 74.4 | −0.3 | 45.7 |
| HRNet-W48 (limited to 10 images: not comparable) | 63.6 | 75.0 |  | 75.1 | ≠<sup>a</sup> | –<sup>b</sup> |
| *Other* |  |  |  |  |  |  |
| Other-a\\_b\\|2 (failed)<sup>c</sup> | – | – |  |  |  | – |
| Other-3 | –<sup>d</sup> | 70.0 |  |  |  | –<sup>b</sup> |

<sup>a</sup> no difference: limited to 10 images: not comparable\\
<sup>b</sup> took 11 s, budget &lt; 10 s\\
<sup>c</sup> failed: 50 % of a\\_b &amp; c\\
<sup>d</sup> not measured: not among the costs of this entry\\
Protocol: top-down v1.\\
Bold: the best.\\
Published figures: a README.

<details><summary>All settings</summary>

Protocol: top-down v1 (boxes detector, flip yes).

</details>
"""


def test_a_table():
    assert render_markdown([sample_table()]) == EXPECTED


def test_several_tables_follow_one_another():
    assert render_markdown([sample_table()] * 2) == f"{EXPECTED}\n{EXPECTED}"


@given(st.text())
def test_no_text_leaves_its_cell(text):
    escaped = escape(text)
    assert "\n" not in escaped and "<" not in escaped and ">" not in escaped
    assert escaped.replace("\\\\", "").replace("\\|", "").count("|") == 0
