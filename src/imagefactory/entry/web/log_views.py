"""The log of a build: full window, raw text, download, and the JSON that the page's script reads."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from imagefactory.adapters.logs.base import MAX_FOUND, MAX_READ_LINES, PatternInvalid
from imagefactory.domain.builds import policies
from imagefactory.domain.builds.selectors import (
    BuildDetail,
    ExecutionView,
    get_execution,
    list_attempts,
)
from imagefactory.entry.http.failures import envelope
from imagefactory.entry.http.logs import log_store, raw_chunks
from imagefactory.entry.web import log_marks, log_pages, show
from imagefactory.entry.web.build_rows import build_url, title
from imagefactory.entry.web.finding import attempt_of, find_attempt, find_build, number_of
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import FactoryError, InvalidRequest, NotFound

_TEXT = "text/plain; charset=utf-8"
View = Callable[[HttpRequest, str, str, int], HttpResponseBase]


def _attempt(request: HttpRequest, tenant: str, project: str, number: int) -> tuple[Actor, BuildDetail, ExecutionView]:
    actor, _, build = find_build(request, tenant, project, number)
    return actor, build, get_execution(actor, build.id, attempt_of(request))


@require_GET
def full_log(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
    """Show the log in the whole window, with the stages beside it."""
    actor, found, build = find_build(request, tenant, project, number)
    execution = find_attempt(actor, build, attempt_of(request))
    base = build_url(tenant, found.slug, number)
    attempts = list_attempts(actor, build.id)
    page = {
        "b": build, "project": found, "title": title(build), "base": base, "attempts": attempts,
        "log": log_pages.pane(actor, build, execution, base, request, full=True),
        "status": execution.status if execution else build.status, "newest": attempts[-1][0] if attempts else 0,
    }  # fmt: skip
    return show.page(request, "build_log.html", page)


@require_GET
def raw_log(request: HttpRequest, tenant: str, project: str, number: int) -> StreamingHttpResponse:
    """Send the log as text to read in the browser."""
    actor, build, execution = _attempt(request, tenant, project, number)
    authorize(policies.may_download_log(actor, build.project_id))
    return StreamingHttpResponse(raw_chunks(execution.id), content_type=_TEXT)


@require_GET
def download_log(request: HttpRequest, tenant: str, project: str, number: int) -> StreamingHttpResponse:
    """Send the log of an attempt, or with `stage` of one of its stages, as a file."""
    actor, build, execution = _attempt(request, tenant, project, number)
    authorize(policies.may_download_log(actor, build.project_id))
    name, after, last = f"{project}-build-{number}-attempt-{execution.attempt}", 0, None
    if stage := request.GET.get("stage", ""):
        total = log_store().count(str(execution.id))
        found = {s.name: (first, end) for s, first, end in log_pages.ranges(execution.stages, total) if s}
        if stage not in found:
            raise NotFound("stage in this attempt")
        after, last, name = found[stage][0] - 1, found[stage][1], f"{name}-{stage}"
    answer = StreamingHttpResponse(raw_chunks(execution.id, after, last), content_type=_TEXT)
    answer["Content-Disposition"] = f'attachment; filename="{name}.log"'
    return answer


def _json(view: Callable[[HttpRequest, str, str, int], object]) -> View:
    """Answer with JSON, refusals too: a script must not be sent to the sign-in page."""

    @require_GET
    @functools.wraps(view)
    def answer(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
        try:
            body = orjson.dumps(view(request, tenant, project, number))
        except FactoryError as error:
            return envelope(request, error)
        return HttpResponse(body, content_type="application/json", headers={"Cache-Control": "no-store"})

    return answer


@_json
def log_lines(request: HttpRequest, tenant: str, project: str, number: int) -> object:
    """Return lines behind `after`, and how far attempt and log are. `limit=0` asks for the state alone."""
    actor, _, build = find_build(request, tenant, project, number)
    execution = get_execution(actor, build.id, attempt_of(request)) if build.attempts else None
    state = log_pages.state(actor, build, execution)
    after, limit = number_of(request, "after", 0, 2**40), number_of(request, "limit", 1000, MAX_READ_LINES)
    lines = log_store().read(str(execution.id), after, limit) if execution else []
    return {**state, "attempt": execution.attempt if execution else 0, "lines": [tuple(line) for line in lines]}


@_json
def log_outline(request: HttpRequest, tenant: str, project: str, number: int) -> object:
    """Return where errors, warnings and folds are in the whole log."""
    execution = _attempt(request, tenant, project, number)[2]
    return dataclasses.asdict(log_marks.outline(str(execution.id)))


@_json
def log_search(request: HttpRequest, tenant: str, project: str, number: int) -> object:
    """Search the whole log: the numbers of the first matching lines, how many match, whether all was looked at."""
    execution = _attempt(request, tenant, project, number)[2]
    regex, case = request.GET.get("regex") == "1", request.GET.get("case") == "1"
    try:
        found = log_store().search(str(execution.id), request.GET.get("q", ""), regex=regex, case=case, limit=MAX_FOUND)
    except PatternInvalid as error:
        raise InvalidRequest(str(error)) from None
    return {"numbers": [line.number for line in found.lines], "total": found.total, "complete": found.complete}
