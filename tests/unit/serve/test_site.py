"""What the site's pages show: reports as stored or rendered, comparisons, history, entries, files; errors are pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import pytest
from asked import Answer
from releases import write_release

from hrbench.report import page
from hrbench.report.of_runs import read_runs
from hrbench.report.write import write
from hrbench.serve import reports
from hrbench.store.run_folder import RunFolder


def write_usual(run: Path) -> None:
    """The report as `hrbench run` leaves it."""
    stored = read_runs([RunFolder(run)], False, print)
    write(stored.results, run, keep=True, **stored.stated)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders that reports were rendered into, filled while the site is asked."""
    found: list[Path] = []
    monkeypatch.setattr(reports, "write", lambda results, folder, **more: found.append(folder) or write(
        results, folder, **more))  # fmt: skip
    return found


def two_entries(run: Path) -> None:
    """Another entry, so that there is something to draw."""
    write_release(run, np.arange(200) < 199, "2026-01-01T00:00:00+00:00", "later", limited=None)


def body(text: str) -> str:
    """A page without its links of the site."""
    return re.sub(r"<nav class=\"site\".*?</nav>\n?", "", text, flags=re.S)


def test_a_report_that_shows_all_that_is_stored_is_shown_as_it_lies_there(served, rendered):
    run = served.runs / "first"
    write_usual(run)
    text = served.page("/runs/first/report.html")
    assert rendered == [] and body(text) == body((run / "report.html").read_text().replace("<body>\n", "<body>\n"))
    assert '<a href="/">All runs</a>' in text and '<a href="/runs/first/">Entries and files</a>' in text
    moved = served.folder / "runs" / "renamed"
    run.rename(moved)
    served.page("/runs/renamed/report.html")
    assert rendered == []


def test_a_report_older_than_the_results_is_rendered_once(served, rendered):
    run = served.runs / "first"
    write_usual(run)
    (run / "run.json").write_text('{"suite": "two", "entries": ["shapes", "later"]}')
    two_entries(run)
    text = served.page("/runs/first/report.html")
    assert "99.5" in text and "99.5" not in (run / "report.html").read_text()
    assert len(rendered) == 1 and served.page("/runs/first/report.html") == text and len(rendered) == 1
    assert "older than the results" in served.page("/runs/first/")


def test_a_report_that_somebody_else_wrote_is_not_shown(served, rendered):
    run = served.runs / "first"
    write_usual(run)
    (run / "report.html").write_text("<!doctype html><body>99.9</body>")
    assert "99.9" not in served.page("/runs/first/report.html") and len(rendered) == 1


def test_figures_of_a_rendered_report_are_those_that_belong_to_it(served):
    two_entries(served.runs / "first")
    text = served.page("/runs/first/report.html")
    files = re.findall(r'href="(figures/[^"]+\.svg)"', text)
    assert files
    answer = served.ask(f"/runs/first/{files[0]}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert "sandbox" in answer.headers["content-security-policy"] and "<svg" in answer.text


def test_reports_are_removed_after_the_last_ones(served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reports, "KEPT", 1)
    for name in ("first", "second", "first"):
        served.page(f"/runs/{name}/report.html")
        assert len(list((served.site.work / "reports").iterdir())) == 1


def test_nothing_is_written_into_what_is_shown(served):
    def listing() -> list[tuple[str, int]]:
        return sorted((str(path), path.stat().st_mtime_ns) for path in served.folder.rglob("*"))

    before = listing()
    for address in ("/", "/runs/first/report.html", "/baselines/baseline_1/report.html", "/history",
                    "/history?quantity=topk/top1&entry=shapes", "/runs/first/entries/shapes/",
                    "/compare?before=runs/first&after=runs/second"):  # fmt: skip
        served.page(address)
    assert listing() == before


def test_two_runs_are_compared_and_the_page_is_remembered(served, monkeypatch: pytest.MonkeyPatch):
    address = "/compare?before=runs/first&after=runs/second"
    text = served.page(address)
    assert "<h1>second against first</h1>" in text and "75.0" in text and "60.0" in text and "regressed" in text
    assert 'href="/compare?before=runs%2Fsecond&amp;after=runs%2Ffirst"' in text
    monkeypatch.setattr("hrbench.serve.comparisons.compare", None)
    assert served.page(address) == text
    (served.runs / "first/entries/shapes/states.npz").write_bytes(b"")
    monkeypatch.undo()
    assert served.page(address) != text


def test_a_run_and_a_baseline_of_one_name_are_told_apart(served):
    shutil.copytree(served.folder / "baselines/baseline_1", served.runs / "baseline_1")
    text = served.page("/compare?before=baselines/baseline_1&after=runs/baseline_1")
    assert "<h1>baseline_1 (runs) against baseline_1 (baselines)</h1>" in text


def test_of_two_ticked_rows_the_older_is_before(served):
    for ticked in ("side=runs/first&side=runs/second", "side=runs/second&side=runs/first"):
        answer = served.ask(f"/compare?{ticked}")
        assert (answer.status, answer.headers["location"]) == (303, "/compare?before=runs%2Ffirst&after=runs%2Fsecond")
    for ticked in ("side=runs/first", "side=runs/first&side=runs/none", "side=runs/first&side=runs/first"):
        answer = served.ask(f"/compare?{ticked}")
        assert answer.status == 404 and "tick two rows" in answer.text
    assert served.ask("/compare?before=runs/first&after=runs/none").status == 404


def test_sides_are_chosen_from_lists(served):
    text = served.page("/compare?after=runs/second")
    assert '<option value="runs/second" selected>' in text and '<option value="baselines/baseline_1">' in text


def test_the_history_has_all_main_numbers_and_a_page_for_each(served):
    text = served.page("/history")
    assert "3 runs and baselines" in text and "−15.00" in text
    [link] = re.findall(r'<a href="(/history\?entry=shapes[^"]*top1)">', text)
    trend = served.page(unescape(link))
    assert "<svg" in trend and "worse" in trend and '<a href="/history">History</a>' in trend
    assert "shapes" in served.page("/history?only=hape") and "joints" not in served.page("/history?only=hape")
    assert served.ask("/history?quantity=nothing").status == 422
    assert served.ask("/history?quantity=topk/top1&entry=none").status == 422


def test_what_hrbench_history_remembers_is_taken_over_and_left_alone(served, tmp_path: Path):
    from hrbench.judge.history import history, index_in
    from hrbench.serve.histories import histories

    history(served.runs, served.folder / "none", index=index_in(served.runs, served.folder / "none"))
    before = (served.runs / "history.sqlite").stat()
    work = tmp_path / "more"
    work.mkdir()
    taken = histories(served.site.roots, work)
    assert len(taken.overview(served.site.overview.rows(), "", "").releases) == 3
    assert (work / "history.sqlite").is_file()
    assert (served.runs / "history.sqlite").stat().st_mtime_ns == before.st_mtime_ns


def test_an_entry_has_its_numbers_pictures_and_files(served):
    folder = served.runs / "first/entries/shapes"
    (folder / "drawings").mkdir()
    (folder / "drawings" / "worst 1.webp").write_bytes(b"RIFF0000WEBP")
    text = served.page("/runs/first/entries/shapes/")
    assert "Top-1" in text and "75.0 points" in text and "GMACs" in text
    assert '<img src="/runs/first/entries/shapes/drawings/worst%201.webp"' in text
    answer = served.ask("/runs/first/entries/shapes/drawings/worst%201.webp")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/webp")
    assert "worst 1.webp" in served.page("/runs/first/entries/shapes/drawings/")


KINDS = {
    "a.json": "text/plain; charset=utf-8",
    "a.csv": "text/plain; charset=utf-8",
    "a.html": "text/html; charset=utf-8",
    "a.svg": "image/svg+xml",
    "a.PNG": "image/png",
    "a.npz": "application/octet-stream",
    "a.pdf": "application/octet-stream",
    "a.js": "application/octet-stream",
    "a": "application/octet-stream",
}


@pytest.mark.parametrize("name", KINDS)
def test_files_are_what_their_names_say_and_run_nothing(served, name: str):
    content = b"<script>alert(1)</script>" * 100_000  # more than one chunk
    (served.runs / "first" / name).write_bytes(content)
    answer = served.ask(f"/runs/first/{name}")
    assert answer.body == content and answer.headers["content-type"] == KINDS[name]
    assert answer.headers["content-length"] == str(len(content))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'") and "script" not in policy
    assert answer.headers.get("content-disposition", "").startswith("attachment") == (
        KINDS[name] == "application/octet-stream"
    )
    head = served.ask(f"/runs/first/{name}", method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(content)))


def test_descriptors_are_closed(served):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (of this process)
    for address in ("/runs/first/environment.json", "/runs/first/", "/runs/first/none", "/runs/first/entries"):
        served.ask(address)
        served.ask(address, method="HEAD")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


def test_names_from_outside_are_cleaned_and_escaped(served):
    write_release(served.runs / "<b>&amp;", np.arange(200) < 1, "2026-03-01T00:00:00+00:00", entry="e<i>")
    record = {"suite": "s", "title": HOSTILE, "entries": ["e<i>"], "options": ["/home/somebody/secret/suite.yaml"]}
    (served.runs / "<b>&amp;" / "run.json").write_text(json.dumps(record))
    for address in ("/", "/runs/%3Cb%3E%26amp%3B/", "/runs/%3Cb%3E%26amp%3B/entries/e%3Ci%3E/", "/compare", "/history",
                    "/runs/%3Cb%3E%26amp%3B/report.html", f"/?q={HOSTILE[:25]}", "/history?only=e%3Ci%3E"):  # fmt: skip
        text = served.page(address)
        assert "<script>alert" not in text and "<i>" not in text and "<b>&amp;" not in text, address
        assert "\x1b" not in text and "\u202e" not in text and "somebody" not in text, address


def every_policy(answer: Answer) -> list[str]:
    """Hashes of styles that the page's two policies allow."""
    meta = unescape(re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', answer.text)[0])
    return [re.findall(r"style-src ([^;]*)", one)[0] for one in (answer.headers["content-security-policy"], meta)]


@pytest.mark.parametrize(
    "address",
    [
        *("/", "/runs/first/", "/runs/first/report.html", "/runs/first/entries/shapes/", "/compare", "/history"),
        *("/compare?before=runs/first&after=runs/second", "/history?quantity=topk/top1&entry=shapes", "/runs/none/"),
    ],
)
def test_pages_run_and_load_nothing_but_their_own(served, address: str):
    answer = served.ask(address)
    head, meta = every_policy(answer)
    styles = re.findall(r"<style>(.*?)</style>", answer.text, re.S)
    assert head == meta == " ".join(re.findall(r"style-src ([^;]*)", page.policy(styles))[0].split())
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text)


def test_all_links_of_the_site_lead_somewhere(served):
    two_entries(served.runs / "first")
    todo, seen = ["/"], set()
    while todo:
        address = todo.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = served.ask(address)
        if answer.status == 303:
            todo.append(urljoin(address, answer.headers["location"]))
            continue
        assert answer.status == 200, address
        if answer.headers["content-type"].startswith("text/html"):
            found = re.findall(r'(?:href|src)="([^"#][^"]*)"', answer.text.partition("<body>")[2])
            local = [unescape(link) for link in found if not link.startswith(("data:", "http"))]
            todo += [urljoin(address, link).partition("#")[0] for link in local]
    assert {"/runs/first/report.html", "/baselines/baseline_1/entries/joints/", "/history", "/compare"} <= seen
    assert any(address.endswith(".svg") for address in seen) and any("result.json" in address for address in seen)


def test_a_damaged_run_has_pages_that_say_so(served):
    run = served.runs / "first"
    (run / "entries/shapes/result.json").write_text("broken")
    assert "is not a result of hrbench" in served.page("/")
    assert "is not a result of hrbench" in served.page("/runs/first/")
    assert served.ask("/runs/first/report.html").status == 404  # nothing else is stored
    assert "damaged" in served.page("/runs/first/entries/shapes/")
    (run / "run.json").write_text("[]")
    answer = served.ask("/runs/first/report.html")
    assert answer.status == 422 and "run.json is damaged" in answer.text and str(served.folder) not in answer.text
    assert served.ask("/compare?before=runs/first&after=runs/second").status == 422
    (run / "environment.json").write_text("{{{")
    assert "run.json is damaged" in served.page("/") and served.ask("/history").status == 200


def test_a_layout_that_cannot_be_read_here_is_told_in_the_report(served):
    run = served.runs / "first"
    (run / "run.json").write_text('{"suite": "s", "entries": ["shapes"], "table": "ours/tables.yaml"}')
    assert "shown without the layout of its suite" in served.page("/runs/first/report.html")


def test_an_error_of_hrbench_is_a_short_page_and_told_by_the_server(served, monkeypatch: pytest.MonkeyPatch):
    def fail(*given: object) -> None:
        raise ZeroDivisionError(f"in {served.folder}/secret")

    monkeypatch.setattr("hrbench.serve.pages.index", fail)
    answer = served.ask("/")
    assert answer.status == 500 and "ZeroDivision" not in answer.text and str(served.folder) not in answer.text
    assert len(served.problems) == 1 and "ZeroDivisionError" in served.problems.pop()


def test_what_cannot_be_read_now_is_a_short_page(served, monkeypatch: pytest.MonkeyPatch):
    def fail(*given: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", f"{served.folder}/gone")

    monkeypatch.setattr("hrbench.serve.pages.index", fail)
    answer = served.ask("/")
    assert answer.status == 503 and "ask again" in answer.text and str(served.folder) not in answer.text
    assert served.problems.pop().startswith("/: No such file")


@pytest.mark.parametrize("address", ["/nothing", "/runs", "/runs/none/", "/other/first/", "/runs/first/none/", "/x/y"])
def test_what_is_not_here_is_a_short_page(served, address: str):
    answer = served.ask(address)
    assert answer.status == 404 and "Nothing is here" in answer.text


def test_an_empty_folder_says_what_to_do(served):
    shutil.rmtree(served.runs)
    served.runs.mkdir()
    shutil.rmtree(served.folder / "baselines")
    assert "There is nothing here yet" in served.page("/")
    assert served.ask("/history").status == 404 and "There is nothing here yet" in served.ask("/history").text
    assert served.ask("/compare").status == 200


def test_several_ask_at_once(served):
    answers: list[int] = []

    def many() -> None:
        answers.extend(served.ask(address).status for address in ("/", "/runs/first/report.html", "/history"))

    threads = [threading.Thread(target=many) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [200] * 18
