"""The page: well formed whatever the names say, complete, and in need of nothing outside itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_factory import PROTOCOL, make, of, spend

from hrbench.report.choose import choose_layout, complete
from hrbench.report.html import render_html
from hrbench.report.layout import Layout
from hrbench.report.words import protocol_text
from hrbench.types import Drawing, Provenance
from hrbench.version import __version__

VOID = {"meta", "link", "img", "input", "br", "hr", "path", "use", "rect"}


class Page(HTMLParser):
    """Checks that elements nest, and keeps what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: dict[str, int] = {}
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self._seen(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self._seen(tag, dict(attrs))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if {"td", "th"} & set(self.open) and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    def _seen(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.addresses += [attrs[key] for key in ("href", "src", "xlink:href") if attrs.get(key)]


def page(results, folder=Path(), environment=None, suite="suite: x", **more):
    return render_html(results, choose_layout(results), environment or {}, suite, lambda _: folder, **more)


@pytest.fixture
def results():
    def one(title, value, size):
        costs = (
            spend("parameters", 28e6, "count"),
            spend("macs", size, uncounted={"aten::add_": 3}),
            spend("latency", 0.05, "seconds", batch=1, dtype="float32", samples=(0.04, 0.05, 0.06)),
        )
        return make(title, of("AP", value, (value - 0.01, value + 0.01), n=6352), costs=costs)

    empty = make("HRNet-W48", status="empty", reason="COCO val2017 is not here", name="w48-large", input=(384, 288))
    return [one("HRNet-W32", 0.744, 7.6e9), one("HRNet-W48", 0.751, 15.7e9), empty]


def test_the_page_has_all_its_sections(results):
    read = Page(page(results, environment={"packages": {"torch": "2.15"}}, title="My title"))
    assert {"tables", "plots", "missing", "costs", "provenance", "summary"} <= set(read.ids)
    text = " ".join(" ".join(read.words).split())
    for words in (
        "My title", "2 measured, 1 empty, 0 failed", "HRNet-W48 256×192 best of 2", "AP ↑ 75.1",
        "COCO val2017 is not here", "aten::add_ ×3", "torch", "2.15", "suite: x",
    ):  # fmt: skip
        assert words in text
    assert read.tags["svg"] >= 4  # accuracy against three costs, and strips of samples


def test_what_counts_left_out_is_a_line_a_network_with_the_lists_behind_it():
    left = {"aten::add": 3, "aten::relu": 1_200}
    views = (
        spend("macs", 7e9, uncounted=left),
        spend("flops", 14e9, uncounted=left),
        spend("fvcore", 7e9, uncounted={"aten::add": 3}),
    )
    results = [make("Wide", costs=views), make("Wide", costs=views, name="flipped"), make("Plain", costs=(views[0],))]
    text = page([*results, make("Full", costs=(spend("macs", 7e9),))])
    section = text.split("Operators that a count passed over")[1].split('id="provenance"')[0]
    assert section.count("<details") == section.count("<summary>") == 2 and "Full" not in section
    said = " ".join(re.sub("<[^>]+>", " ", section).split())
    assert said.count("Wide 256×192 2 operators in 1,203 calls") == 1
    assert "macs, flops aten::add ×3, aten::relu ×1200 fvcore aten::add ×3" in said


def test_what_counts_on_images_left_out_is_listed_apart():
    fixed = spend("macs", 7e9, uncounted={"aten::add": 3})
    fed = spend("macs-on-images", 6e9, uncounted={"aten::add": 12}, images=4, inputs="4 images of pets")
    section = page([make("Wide", costs=(fixed, fed))]).split("Operators that a count passed over")[1]
    said = " ".join(re.sub("<[^>]+>", " ", section.split('id="provenance"')[0]).split())
    assert "Wide 256×192 1 operator in 3 calls" in said and "Wide on 4 images of pets 1 operator in 12 calls" in said


def test_colour_is_explained_where_it_is_used():
    near, far = (make("HRNet-W32", of("AP", value, (value - 0.01, value + 0.01))) for value in (0.744, 0.7))
    assert "the published figure lies outside" not in " ".join(Page(page([near])).words[:-2])
    assert 'Differences in <span class="notable">colour</span>' in page([far])


def test_identifiers_are_unique_and_nothing_is_fetched(results):
    text = page(results)
    read = Page(text)
    assert len(read.ids) == len(set(read.ids))
    outside = [address for address in read.addresses if not address.startswith(("#", "data:"))]
    assert outside == []
    assert {address[1:] for address in read.addresses if address.startswith("#")} <= set(read.ids)
    assert not re.search(r"@import|url\((?!#)", text)


def test_the_same_results_give_the_same_page(results):
    assert page(results) == page(results)


def test_measured_cells_know_how_they_were_made(results):
    text = page(results)
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', text, re.S)[1])
    cell = re.search(r'data-value="75.1" data-facts="([\d ]+)"', text)
    told = {label: value for number in cell[1].split() for label, value in facts[int(number)]}
    assert told["n"] == "6,352"
    assert told["95 % interval"] == "[74.10, 76.10]"
    assert told["protocol"] == protocol_text(PROTOCOL)


def test_the_head_says_when_and_on_what(results):
    text = page(results, environment={"date": "2026-11-20T09:30:00+00:00", "processor": "AMD EPYC"})
    head = re.search(r'<p class="made">(.*?)</p>', text)
    assert head is not None and head[1] == f"20 November 2026 · AMD EPYC · hrbench {__version__}"
    assert "20 November 2026, 09:30 UTC" in text


def test_an_entry_does_not_repeat_the_environment_of_the_page(results):
    machine = {"processor": "AMD EPYC", "packages": {"torch": "2.15"}}
    entries = [replace(result, provenance=Provenance(environment=machine)) for result in results]
    same = page(entries, environment={"date": "2026-11-20", **machine})
    assert same.count("<dd>2.15</dd>") == 1
    assert page(entries, environment={"processor": "another"}).count("<dd>2.15</dd>") == len(results)


def test_a_traceback_is_folded_below_its_entry():
    trace = "Traceback (most recent call last):\n  File <a>, line 1\nValueError: no"
    text = page([make("a", status="failed", reason="ValueError: no", provenance=Provenance(traceback=trace))])
    assert text.count("most recent call last") == 1
    assert f'<summary>Traceback</summary>\n    <pre class="scroll" tabindex="0">{escape(trace)}</pre>' in text
    assert "<summary>Traceback" not in page([make("a", status="failed", reason="no data")])


def test_options_of_the_run_stand_above_the_suite(results):
    text = page(results, options=["--limit 3", "--set a=<b>"])
    options = '<p class="options">run with: <code>--limit 3 --set a=&lt;b&gt;</code></p>'
    assert text.index(options) < text.index(">suite: x</pre>")
    assert "run with" not in page(results)


def test_drawings_are_in_the_page_worst_first_and_a_lost_one_is_said(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 picture")
    (tmp_path.parent / "secret.jpg").write_bytes(b"outside")
    drawings = [Drawing("a.jpg", 1, "typical", "good"), Drawing("b.jpg", 2, "worst", "bad")]
    drawings.append(Drawing("../secret.jpg", 3, "worst", "outside"))
    text = page([make("HRNet-W32", of("AP", 0.7), drawings=tuple(drawings))], tmp_path)
    assert text.index("<b>worst</b> bad") < text.index("(the file b.jpg is not there)") < text.index("</b> good")
    assert "(the file ../secret.jpg is not there)" in text
    assert text.count("data:image/jpeg;base64,/9ggcGljdHVyZQ==") == 1
    assert "<b>typical</b> good" in text and "<img" not in text.partition('<dialog id="lightbox"')[0]


def test_a_page_says_what_it_runs_and_loads():
    text = page([make("HRNet-W32", of("AP", 0.7))])
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for kind, element in (("style", "style"), ("script", "script")):
        (inner,) = re.findall(rf"<{element}>(.*?)</{element}>", text, flags=re.S)
        found = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{found}'" in policy
    assert " style=" not in text and not re.search(r"<[^>]* on[a-z]+=", text)


def test_texts_from_outside_are_cleaned_and_tell_no_folder():
    name = "net\x1b[31m\u202e-1\x00"
    reason = "no file /mnt/secret/disk/val.json"
    failed = make(name, status="failed", reason=reason, name=name, provenance=Provenance(traceback=reason))
    costs = (spend("latency", None, "seconds", reason=reason, batch=1),)
    text = page([failed, make("b", of("AP", 0.7), costs=costs)], suite="data: /mnt/secret/disk")
    assert "secret" not in text and "no file val.json" in text and "data: disk" in text
    assert "net-1" in text and not set("\x1b\u202e\x00") & set(text)


@settings(max_examples=60)
@given(st.text(alphabet=st.one_of(st.sampled_from("<>&\"'{}|%_\n</script>"), st.characters(codec="utf-8"))))
def test_no_text_breaks_the_page(text):
    costs = (spend("macs", 7e9, uncounted={text: 1}), spend("latency", None, "seconds", reason=text, batch=1))
    done = make(text, of("AP", 0.7, description=text), costs=costs, name=text, protocol={"boxes": text})
    other = make(text + "2", of("AP", 0.6), costs=costs, name=text + "2", notes=(text,))
    failed = make(
        "x", status="failed", reason=text, provenance=Provenance(environment={text or "k": {"k": text}}, traceback=text)
    )
    results = [done, other, failed]
    layout = complete(Layout("derived", ()), results)
    environment = {"k": {text or "k": text}}
    read = Page(render_html(results, layout, environment, text, lambda _: Path(), title=text, options=(text,)))
    assert read.tags["script"] == 2 and read.tags["title"] >= 1
    assert len(read.ids) == len(set(read.ids))


def test_rows_keep_their_cells(results):
    read = Page(page(results))
    row = next(row for row in read.rows if row and row[0].startswith("HRNet-W32"))
    assert [" ".join(cell.split()) for cell in row[1:9]] == [
        "256×192", "28.0", "7.600◆", "74.4", "[73.4, 75.4]", "74.4", "0.0", "–a",
    ]  # fmt: skip
