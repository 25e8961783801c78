"""The site: which address shows what. It only reads; `access.py` says who may ask.

/                           runs and baselines
/runs/NAME/                 entries and files of a run; /baselines/NAME/ of a baseline
/runs/NAME/report.html      its report
/runs/NAME/...              files and folders in it, as they lie there
/compare?before=runs/A&after=baselines/B
/history?quantity=AP&only=w32, /history?quantity=AP&entry=NAME
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from hrbench.errors import HrbenchError, InputError, MissingError, in_words
from hrbench.report.figure_set import FOLDER as FIGURES
from hrbench.report.gallery import BESIDE
from hrbench.serve import pages
from hrbench.serve.background import in_thread
from hrbench.serve.comparisons import Comparisons
from hrbench.serve.downloads import file_answer
from hrbench.serve.histories import Histories, histories
from hrbench.serve.numbers import numbers_of
from hrbench.serve.overview import Overview, newest_result, told
from hrbench.serve.pages import PAGE
from hrbench.serve.places import Roots, RunPlace, is_folder, list_folder, open_file, parts_of
from hrbench.serve.reports import Reports
from hrbench.serve.rows import RunRow


@dataclass(slots=True)
class Site:
    """All that the pages are made of.

    work: a folder of the server, in which it keeps what it renders and remembers.
    on_problem: called with a sentence on what went wrong and is an error of hrbench.
    """

    roots: Roots
    work: Path
    on_problem: Callable[[str], object]
    overview: Overview
    reports: Reports
    comparisons: Comparisons
    histories: Histories
    shown: dict[str, Path] = field(default_factory=dict)
    """Key of a place -> the folder of the report that was shown last, which its figures belong to."""


def site(runs: Path, baselines: Path, work: Path, on_problem: Callable[[str], object]) -> Site:
    """The site over a folder of runs and a folder of baselines, which may be missing.

    Raises MissingError if there is no folder of runs, InputError if it cannot be listed.

    work: an empty folder that nobody else writes to.
    """
    roots = Roots(runs, baselines)
    if not runs.is_dir():
        raise MissingError(f"there is no folder {runs}; `hrbench run SUITE` makes run folders below runs/")
    try:
        next(runs.iterdir(), None)
    except OSError as error:
        raise InputError(f"{runs} cannot be read: {error.strerror}") from None
    return Site(roots, work, on_problem, Overview(roots), Reports(work / "reports"), Comparisons(),
                histories(roots, work))  # fmt: skip


def app(of: Site) -> ASGIApp:
    """The site as an application."""

    async def nothing(request: Request) -> Response:
        return _page(pages.told("Nothing is here", ["There is no such page."]), 404)

    def answered(answer: Callable[[Site, Request], ASGIApp]) -> Callable[[Request], Awaitable[Any]]:
        async def endpoint(request: Request) -> ASGIApp:
            return await in_thread(lambda: _answer(of, request, answer))

        return endpoint

    return Router(
        [
            Route("/", answered(_index)),
            Route("/compare", answered(_compare)),
            Route("/history", answered(_history)),
            Route("/{kind:str}/{name:str}", answered(_run_without_slash)),
            Route("/{kind:str}/{name:str}/{path:path}", answered(_below)),
            Route("/{path:path}", nothing),
        ],
        redirect_slashes=False,
    )


def _answer(of: Site, request: Request, answer: Callable[[Site, Request], ASGIApp]) -> ASGIApp:
    """An answer; errors are short pages."""
    try:
        return answer(of, request)
    except MissingError as error:
        return _page(pages.told("Nothing is here", _sentences(of, error)), 404)
    except HrbenchError as error:
        return _page(pages.told("This cannot be shown", _sentences(of, error)), 422)
    except OSError as error:
        of.on_problem(f"{request.scope['path']}: {in_words(error)}")
        said = f"{error.strerror or 'it cannot be read'}: a run may be changing it, ask again"
        return _page(pages.told("This cannot be shown now", [said]), 503)
    except Exception as error:
        of.on_problem(f"{request.scope['path']}: {in_words(error)}")
        return _page(pages.told("This cannot be shown", ["An error of hrbench, which its server has told."]), 500)


def _sentences(of: Site, error: HrbenchError) -> list[str]:
    """An error without the folders that the site lies in."""
    text = told(error, of.roots.runs)
    return [text.replace(f"{of.roots.baselines}/", "").replace(f"{of.work}/", "")]


def _page(page: pages.Page, status: int = 200) -> Response:
    return _html(page.text, page.policy, status)


def _html(text: str, policy: str, status: int = 200) -> Response:
    return Response(
        text.encode("utf-8", "replace"),
        status,
        {"content-security-policy": policy},
        "text/html",  # starlette adds the charset
    )


def _to(address: Markup) -> Response:
    return Response(status_code=303, headers={"location": address.unescape()})


# --- pages -----------------------------------------------------------------------------------------------------------


def _index(of: Site, request: Request) -> Response:
    return _page(pages.index(of.overview.rows(), request.query_params, of.roots.runs.resolve().name))


def _run_without_slash(of: Site, request: Request) -> Response:
    place = _place(of, request)
    return _to(pages.address(place.kind, place.name, ""))


def _below(of: Site, request: Request) -> ASGIApp:
    """A run's page, its report, or what lies in its folder."""
    place, path = _place(of, request), request.path_params["path"]
    names = parts_of(path)
    if names == (PAGE,):
        return _report(of, place)
    if names[:1] in ((FIGURES,), (BESIDE,)) and not path.endswith("/"):
        return file_answer(open_file(of.shown.get(place.key, place.path), names), names[-1])
    if is_folder(place.path, names):
        if path and not path.endswith("/"):
            return _to(pages.address(place.kind, place.name, *names, ""))
        return _page(_folder(of, place, names))
    if path.endswith("/"):
        raise MissingError("there is no such folder here")
    return file_answer(open_file(place.path, names), names[-1])


def _folder(of: Site, place: RunPlace, names: tuple[str, ...]) -> pages.Page:
    """What lies in a folder; of the run itself and of an entry with what is stored of it."""
    row, files = of.overview.row(place), list_folder(place.path, names)
    if not names:
        return pages.run(row, files, _others(of, place), newest_result(place.path))
    entry = next((one for one in row.entries if ("entries", one.name) == names), None)
    if entry is None:
        return pages.folder(row, names, files, None, (), ())
    beside = (*names, pages.DRAWINGS)
    drawings = list_folder(place.path, beside) if is_folder(place.path, beside) else []
    return pages.folder(row, names, files, entry, numbers_of(place, entry.name), drawings)


def _report(of: Site, place: RunPlace) -> Response:
    folder = of.reports.folder_of(place)
    of.shown[place.key] = folder
    text = (folder / PAGE).read_text(encoding="utf-8")
    return _html(pages.with_navigation(text, pages.of_run(place)), pages.policy_of_reports())


def _compare(of: Site, request: Request) -> Response:
    rows = _by_date(of.overview.rows())
    ticked = request.query_params.getlist("side")
    if ticked:
        before, after = _older_first(rows, ticked)
        return _to(pages.address("compare", before=before, after=after))
    before, after = (request.query_params.get(name, "") for name in ("before", "after"))
    if not (before and after):
        return _page(pages.choose(rows, before, after))
    sides = _row(rows, before), _row(rows, after)
    links = [
        *((row.place.name, pages.address(row.place.kind, row.place.name, "report.html")) for row in sides),
        ("The other way round", pages.address("compare", before=after, after=before)),
        ("Choose others", pages.address("compare", before=before)),
    ]
    return _html(pages.with_navigation(of.comparisons.page(*sides), links), pages.policy_of("comparison.css"))


def _history(of: Site, request: Request) -> Response:
    rows = of.overview.rows()
    quantity, only, entry = (request.query_params.get(name, "").strip() for name in ("quantity", "only", "entry"))
    if not entry:
        return _page(pages.series(of.histories.overview(rows, quantity, only), quantity, only))
    text = of.histories.page(rows, quantity, entry)
    links = [("Compare", pages.address("compare")), ("History", pages.address("history"))]
    return _html(pages.with_navigation(text, links), pages.policy_of("history.css"))


# --- rows ------------------------------------------------------------------------------------------------------------


def _place(of: Site, request: Request) -> RunPlace:
    return of.roots.find(request.path_params["kind"], request.path_params["name"])


def _by_date(rows: Sequence[RunRow]) -> list[RunRow]:
    """Rows that can be looked into, the latest first."""
    return sorted((row for row in rows if not row.place.problem), key=lambda row: row.date, reverse=True)


def _others(of: Site, place: RunPlace) -> list[RunRow]:
    return [row for row in _by_date(of.overview.rows()) if row.place != place]


def _row(rows: Sequence[RunRow], key: str) -> RunRow:
    found = next((row for row in rows if row.place.key == key), None)
    if found is None:
        raise MissingError("one of the two is not here: choose from the list of runs and baselines")
    return found


def _older_first(rows: Sequence[RunRow], keys: Sequence[str]) -> tuple[str, str]:
    """The two that were ticked. `rows` begins with the latest."""
    found = [row.place.key for row in rows if row.place.key in keys]
    if len(found) != 2:
        raise MissingError(f"a comparison has two sides, {len(found)} are ticked: go back and tick two rows")
    return found[1], found[0]
