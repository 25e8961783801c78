"""`hrbench serve` as a person meets it: started, opened in a browser with its token, looked through, ended."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe import serious
from releases import DATA, write_release

pytestmark = pytest.mark.browser
TOKEN = "a-token-for-the-browser"


@dataclass
class Started:
    """A server. address: of its index, without the token."""

    process: subprocess.Popen[str]
    address: str
    port: int


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = tmp_path_factory.mktemp("site with spaces & signs")
    for name, right, date in (("before", 150, "2026-01-01"), ("after", 120, "2026-02-01")):
        for entry in ("one", "two"):
            write_release(folder / "runs" / name, np.arange(200) < right, f"{date}T00:00:00", entry, limited=None)
    shutil.copytree(DATA / "baseline_1", folder / "reports/baselines/v1")
    damaged = folder / "runs/damaged/entries/one"
    damaged.mkdir(parents=True)
    (damaged / "result.json").write_text("broken")
    (damaged.parents[1] / "environment.json").write_text('{"date": "2026-03-01T00:00:00"}')
    environment = {**os.environ, "HRBENCH_TOKEN": TOKEN}
    process = subprocess.Popen(
        [sys.executable, "-m", "hrbench", "serve", "--port", "0"],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"runs at (http://127\.0\.0\.1:(\d+)/) .*\n", line)
    assert found, line + process.communicate()[1]
    yield Started(process, found[1], int(found[2]))
    process.kill()
    process.communicate()


def test_the_site_in_a_browser(started: Started, browser: Any):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    requests: list[str] = []
    page.on("console", lambda said: faults.append(said.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(f"{request.url} {request.failure}"))
    page.on("request", lambda request: requests.append(request.url))

    def narrow_and_wide(own: bool = True) -> None:
        """own: whether it is a page of the site, and not one that is tried with axe as a file."""
        for width in (400, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width, page.url
        assert not own or serious(page) == [], page.url

    page.goto(f"{started.address}?token={TOKEN}")
    assert page.url == started.address  # the token is in a cookie, which no script sees
    assert page.evaluate("document.cookie") == "" and len(context.cookies()) == 1
    names = "rows => rows.map(row => row.querySelector('th').firstChild.textContent.trim())"
    assert page.eval_on_selector_all("table.runs tbody tr", names) == ["v1", "damaged", "after", "before"]
    assert "is not a result of hrbench" in page.inner_text("table.runs")
    narrow_and_wide()
    page.click("th.of-name a")
    assert page.eval_on_selector_all("table.runs tbody tr", names) == ["after", "before", "damaged", "v1"]
    page.fill("input[type=search]", "two")
    page.click("form.find button")
    assert page.eval_on_selector_all("table.runs tbody tr", names) == ["after", "before"]

    page.check("input[value='runs/after']")
    page.check("input[value='runs/before']")
    page.click("p.act button")
    assert page.inner_text("h1") == "after against before" and "regressed" in page.inner_text("main")
    narrow_and_wide(own=False)

    page.click("nav.site a:has-text('after')")
    page.wait_for_selector("h1")
    first = page.locator("#table-1 th.headline button").first
    first.click()  # its script runs
    assert page.locator("#table-1 th.headline").first.get_attribute("aria-sort") != "none"
    narrow_and_wide(own=False)

    page.click("nav.site a:has-text('Entries and files')")
    page.click("th a:has-text('two')")
    assert "60.0 points" in page.inner_text("main")
    narrow_and_wide()

    page.goto(f"{started.address}history")
    narrow_and_wide()
    page.click("tr:has-text('two') th a")
    assert page.locator("svg.trend").count() == 1 and "worse" in page.inner_text("main")
    narrow_and_wide(own=False)
    context.close()
    assert faults == []
    assert [url for url in requests if not url.startswith((started.address, "data:"))] == []


def test_requests_to_the_letter_and_the_end(started: Started):
    """As no browser sends them; then Ctrl-C, which is no error, and leaves no folder behind."""

    def asked(method: str, path: str, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", started.port, timeout=600)
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert asked("GET", "/") == 401 and asked("GET", "/", **bearer) == 200
    assert asked("GET", "/", Host="example.org", **bearer) == 400
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert asked(method, "/", **bearer) == 405
    for path in ("/../../../../etc/passwd", "/runs/before/../../../../../etc/passwd", "/runs/before/%2e%2e/%2e%2e/x"):
        assert asked("GET", path, **bearer) == 404
    assert asked("HEAD", "/runs/before/entries/one/result.json", **bearer) == 200

    started.process.send_signal(signal.SIGINT)
    out, err = started.process.communicate(timeout=600)
    assert (started.process.returncode, out, err.strip()) == (130, "", "hrbench: interrupted")
    assert not list(Path(tempfile.gettempdir()).glob(f"hrbench-serve-{started.process.pid}-*"))
