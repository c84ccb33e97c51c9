"""Builds: submit, dry-run, watch, cancel, rerun, read their log."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from typing import Any

import orjson
from django.http import FileResponse, HttpRequest, HttpResponse
from ninja import Router, Status

from imagefactory.adapters.logs.base import PatternInvalid
from imagefactory.domain.builds import policies, selectors
from imagefactory.domain.builds.services.cancel import cancel_build as cancel
from imagefactory.domain.builds.services.dry_run import dry_run as check
from imagefactory.domain.builds.services.submit import rerun_build, start_build, submit_build
from imagefactory.domain.builds.states import Trigger
from imagefactory.domain.projects.selectors import get_project, project_slug
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api.idempotency import key_of
from imagefactory.entry.api.security import actor, needs
from imagefactory.entry.http.logs import log_store, raw_chunks
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import with_zone
from imagefactory.kernel.errors import InvalidRequest

router = Router(tags=["builds"])


def as_json(data: object) -> HttpResponse:
    """Return data of plain types, UUIDs and moments as a JSON answer."""
    return HttpResponse(orjson.dumps(data, option=orjson.OPT_UTC_Z), content_type="application/json; charset=utf-8")


def _detail(a: Actor, build: selectors.BuildDetail) -> dict[str, Any]:
    # A key may see builds and no projects; its build still has an address.
    url = f"{env.get().public_url}/t/{a.tenant_slug}/p/{project_slug(build.project_id)}/builds/{build.number}"
    return dataclasses.asdict(build) | {"waits": selectors.queue_place(a, build), "url": url}


def _project_id(a: Actor, project: str) -> uuid.UUID | None:
    return get_project(a, project).id if project else None


@router.get("", response=s.BuildsOut, openapi_extra=needs("build:view"))
def list_builds(
    request: HttpRequest, project: s.Text = "", status: s.Text = "", method: s.Text = "", ref: s.Text = "",
    text: s.Text = "", trigger: s.Text = "", since: dt.datetime | None = None, until: dt.datetime | None = None,
    mine: bool = False, cursor: uuid.UUID | None = None, limit: int = 50,
) -> Any:  # fmt: skip
    """Return builds, newest first; `since` and `until` are times with a zone, of the submission."""
    a = actor(request)
    wanted = selectors.BuildFilter(
        project_id=_project_id(a, project), status=status, method=method, ref=ref, text=text,
        author=a.subject_id if mine else None, trigger=trigger, since=with_zone(since), until=with_zone(until),
    )  # fmt: skip
    items, after = selectors.list_builds(a, wanted, before=cursor, limit=max(1, min(limit, 200)))
    total = selectors.count_builds(a, wanted)
    # A list is encoded here, past the schema that documents it, which would cost more than all of its queries;
    # tests/entry/test_lists_schema.py holds the two together.
    return as_json({
        "items": [{name: getattr(b, name) for name in s.BuildOut.model_fields} for b in items],
        "next_cursor": str(after or ""),
        "total": min(total, selectors.COUNT_CAP),
        "total_is_estimate": total > selectors.COUNT_CAP,
    })  # fmt: skip


@router.post("", response={201: s.BuildDetailOut}, openapi_extra=needs("build:start"))
def submit(request: HttpRequest, body: s.BuildIn) -> Status[Any]:
    """Submit a build. With an Idempotency-Key, the same request again returns the same build."""
    a = actor(request)
    project = get_project(a, body.project)
    by_cli = request.headers.get("User-Agent", "").startswith("imagefactory-cli")
    build = submit_build(
        a,
        project.id,
        body.manifest,
        start=body.start,
        trigger=Trigger.CLI if by_cli else Trigger.API,
        idempotency_key=key_of(request),
    )
    return Status(201, _detail(a, build))


@router.post("/dry-run", response=s.DryRunOut, openapi_extra=needs("project:view"))
def dry_run(request: HttpRequest, body: s.DryRunIn) -> Any:
    """Check a build without queueing anything."""
    a = actor(request)
    result = check(a, get_project(a, body.project).id, body.manifest)
    return {"ok": result.ok, "checks": result.checks, "manifest": result.manifest}


@router.get("/{uuid:build_id}", response=s.BuildDetailOut, openapi_extra=needs("build:view"))
def get_build(request: HttpRequest, build_id: uuid.UUID) -> Any:
    """Return a build with its manifest and, while it waits, its place in the queue."""
    a = actor(request)
    return _detail(a, selectors.get_build(a, build_id))


@router.get("/{uuid:build_id}/status", response=s.StatusOut, openapi_extra=needs("build:view"))
def get_status(request: HttpRequest, build_id: uuid.UUID) -> Any:
    """Return status, progress and stages; cheap, for polling."""
    a = actor(request)
    build = selectors.get_build(a, build_id)
    newest = selectors.get_execution(a, build_id) if build.attempts else None
    return {
        "id": build.id,
        "status": build.status,
        "progress": newest.progress if newest else {},
        "stages": newest.stages if newest else [],
        "waits": selectors.queue_place(a, build),
    }


@router.post("/{uuid:build_id}/start", response=s.BuildDetailOut, openapi_extra=needs("build:start"))
def start(request: HttpRequest, build_id: uuid.UUID) -> Any:
    """Queue a draft, or a finished build once more."""
    a = actor(request)
    return _detail(a, start_build(a, build_id))


@router.post("/{uuid:build_id}/cancel", response=s.BuildDetailOut, openapi_extra=needs("build:cancel"))
def cancel_build(request: HttpRequest, build_id: uuid.UUID) -> Any:
    """Cancel a build; it ends at once while it waits, within seconds while it runs."""
    a = actor(request)
    return _detail(a, cancel(a, build_id))


@router.post("/{uuid:build_id}/retry", response=s.BuildDetailOut, openapi_extra=needs("build:start"))
def retry(request: HttpRequest, build_id: uuid.UUID, body: s.RetryIn) -> Any:
    """Run again: a new attempt of the same build, or a new build when `changes` differ."""
    a = actor(request)
    return _detail(a, rerun_build(a, build_id, body.changes))


@router.get("/{uuid:build_id}/executions", response=list[s.ExecutionOut], openapi_extra=needs("build:view"))
def list_executions(request: HttpRequest, build_id: uuid.UUID) -> Any:
    """Return the attempts of a build, oldest first, at most the last 20."""
    a = actor(request)
    selectors.get_build(a, build_id)
    return selectors.list_executions(a, build_id)


@router.get("/{uuid:build_id}/logs", response=s.LogLinesOut, openapi_extra=needs("build:view"))
def get_log(
    request: HttpRequest, build_id: uuid.UUID, attempt: int | None = None, after: int = 0, limit: int = 1000
) -> Any:
    """Return log lines after a line number. `logs/stream` follows them live; `logs/raw` is the whole text."""
    a = actor(request)
    execution = selectors.get_execution(a, build_id, _attempt(attempt))
    state = log_store().state(str(execution.id))
    lines = log_store().read(str(execution.id), max(0, min(after, 2**31)), max(1, min(limit, 10_000)))
    last = lines[-1].number if lines else after
    return {
        "lines": [list(line) for line in lines],
        "last": last,
        "finished": state.finished and last >= state.lines,
    }


def _attempt(attempt: int | None) -> int | None:
    if attempt is not None and not 1 <= attempt <= 32_767:
        raise InvalidRequest("attempt counts from 1.")
    return attempt


@router.get("/{uuid:build_id}/logs/raw", response={200: None}, openapi_extra=needs("log:download"))
def get_raw_log(request: HttpRequest, build_id: uuid.UUID, attempt: int | None = None) -> FileResponse:
    """Return the whole log of an attempt as text."""
    a = actor(request)
    build = selectors.get_build(a, build_id)
    authorize(policies.may_download_log(a, build.project_id))
    execution = selectors.get_execution(a, build_id, _attempt(attempt))
    name = f"build-{build.number}-attempt-{execution.attempt}.log"
    return FileResponse(raw_chunks(execution.id), content_type="text/plain; charset=utf-8", filename=name)


@router.get("/{uuid:build_id}/logs/search", response=s.LogLinesOut, openapi_extra=needs("build:view"))
def search_log(
    request: HttpRequest, build_id: uuid.UUID, q: s.Text, attempt: int | None = None,
    regex: bool = False, case: bool = False,
) -> Any:  # fmt: skip
    """Search the whole log of an attempt."""
    a = actor(request)
    execution = selectors.get_execution(a, build_id, _attempt(attempt))
    try:
        found = log_store().search(str(execution.id), q, regex=regex, case=case)
    except PatternInvalid as error:
        raise InvalidRequest(str(error)) from None
    return {"lines": [list(line) for line in found.lines], "last": found.total, "finished": found.complete}


@router.get("/{uuid:build_id}/usage", response=list[dict[str, Any]], openapi_extra=needs("build:view"))
def get_usage(request: HttpRequest, build_id: uuid.UUID, attempt: int | None = None) -> Any:
    """Return the usage samples of an attempt."""
    a = actor(request)
    return [dataclasses.asdict(u) for u in selectors.list_usage(a, build_id, _attempt(attempt))]
