"""One build: cause or result first, stages, log, usage; its configuration; cancel and rerun."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from imagefactory.domain.builds import policies, selectors
from imagefactory.domain.builds.selectors import BuildDetail, ExecutionView, StageView
from imagefactory.domain.builds.services.cancel import cancel_build
from imagefactory.domain.builds.services.submit import rerun_build, start_build
from imagefactory.domain.builds.states import CANCELLABLE, BuildStatus
from imagefactory.entry.web import build_rows, log_pages, pulls, show, usage_rows
from imagefactory.entry.web.build_rows import build_url
from imagefactory.entry.web.finding import attempt_of, find_attempt, find_build
from imagefactory.entry.web.live import listen_to
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor

MENDERS = {
    "you": "You can mend this in the source or the Dockerfile.",
    "admin": "An admin of the project or an owner can mend this in the project's settings.",
    "operator": "The operator of this installation can mend this.",
}


@dataclasses.dataclass(frozen=True)
class StageCell:
    """One stage of the strip, with the address of its first log line."""

    name: str
    status: str
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    url: str


@dataclasses.dataclass(frozen=True)
class AttemptRow:
    number: int
    status: str
    url: str
    current: bool


def _cells(run: ExecutionView | None, base: str, attempt: int | None) -> list[StageCell]:
    def url(s: StageView) -> str:
        query = f"?attempt={attempt}" if attempt else ""
        return f"{base}{query}#L{s.first_line}" if s.first_line else ""

    if run is None:
        return []
    return [StageCell(s.name, log_pages.stage_status(s, run), s.started_at, s.finished_at, url(s)) for s in run.stages]


def _failure(build: BuildDetail, run: ExecutionView | None, older: bool) -> dict[str, Any]:
    """Return what the cause block shows of the build, or of an older attempt."""
    if older:
        return {"message": run.reason, "line": 0, "who": ""} if run and run.reason else {}
    if build.status != BuildStatus.FAILED or not build.failure:
        return {}
    return dict(build.failure) | {"who": MENDERS.get(str(build.failure.get("who")), "")}


@require_GET
def build(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
    actor, found, b = find_build(request, tenant, project, number)
    context = {"live_on": listen_to(f"build:{b.id}")}
    attempt = attempt_of(request)
    run = find_attempt(actor, b, attempt)
    attempts = selectors.list_attempts(actor, b.id)
    older = bool(run and attempts and run.attempt != attempts[-1][0])
    base = build_url(tenant, found.slug, number)
    place = selectors.queue_place(actor, b)
    limits = b.manifest.get("limits") or {}
    page = context | {
        "b": b, "project": found, "title": build_rows.title(b), "base": base, "run": run, "older": older,
        "status": run.status if older and run else b.status, "stages": _cells(run, base, attempt),
        "failure": _failure(b, run, older), "wait": place.reason if place else "",
        "live": b.status in {"queued", "running"} and not older,
        "attempts": [AttemptRow(n, s, base if n == attempts[-1][0] else f"{base}?attempt={n}", run is not None and n == run.attempt)
                     for n, s in attempts[::-1]],
        "image": b.image if b.image and not older else None,
        "tools": pulls.commands(str(b.image["reference"]), str((b.image.get("tags") or [""])[0]), str(b.image["digest"]))
        if b.image and not older else [],
        "curves": usage_rows.curves(selectors.list_usage(actor, b.id, run.attempt), limits.get("cpu") or env.get().build_cpus)
        if run else [],
        "last_green": selectors.last_success(actor, found.id, number) if b.status == BuildStatus.FAILED else None,
        "queued_for": (b.queued_at, run.claimed_at if run else None),
        "may_cancel": b.status in CANCELLABLE and not b.cancel_requested and policies.may_cancel(actor, found.id) is True,
        "may_start": policies.may_start(actor, found.id) is True and not found.archived,
        "missing_walls": ", ".join(str(w) for w in run.isolation.get("missing") or ()) if run else "",
        "trigger": build_rows.trigger_word(b) or "Web",
    }  # fmt: skip
    return show.page(request, "build.html", page | _log(actor, b, run, base, request), blocks=_BLOCKS)


_BLOCKS = {"head": "blocks/build_head.html", "stages": "blocks/stages.html", "rail": "blocks/build_rail.html"}


def _log(actor: Actor, b: BuildDetail, run: ExecutionView | None, base: str, request: HttpRequest) -> dict[str, Any]:
    """Return what the log pane shows; nothing when only another block is asked for."""
    if request.headers.get("X-Block", "") in _BLOCKS:
        return {}
    return {"log": log_pages.pane(actor, b, run, base, request)}


def _values(run: ExecutionView | None) -> list[tuple[str, str, str]]:
    """Return the manifest as the attempt used it: field, value and where it came from; empty before it was fetched."""
    facts = run.facts if run else {}
    manifest, origins = facts.get("manifest") or {}, facts.get("origins") or {}
    rows = []
    for name, value in manifest.items():
        parts = value if isinstance(value, dict) and any(f"{name}.{k}" in origins for k in value) else {"": value}
        for key, part in parts.items():
            field = f"{name}.{key}" if key else name
            origin = origins.get(field) or origins.get(name) or "installation"
            text = part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)
            if text not in {"", "null", "[]", "{}"}:
                rows.append((field, text, str(origin).capitalize()))
    return rows


@require_GET
def config(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
    """What was asked for and what was used: each value with its origin, the source, the bases and the isolation."""
    actor, found, b = find_build(request, tenant, project, number)
    run = find_attempt(actor, b, attempt_of(request))
    page = {
        "b": b, "project": found, "title": build_rows.title(b), "base": build_url(tenant, found.slug, number),
        "manifest": json.dumps(b.manifest, indent=2, ensure_ascii=False), "run": run, "values": _values(run),
        "source": [(k, str(v)) for k, v in b.source.items() if v and k != "credential_id"],
        "bases": [(str(x.get("written", "")), str(x.get("digest", ""))) for x in (run.facts.get("bases") or ())]
        if run else [],
        "isolation": [(k.replace("_", " "), _words(v)) for k, v in run.isolation.items() if v not in ([], None)]
        if run else [],
    }  # fmt: skip
    return show.page(request, "build_config.html", page)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@require_POST
def cancel(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
    actor, found, b = find_build(request, tenant, project, number)
    cancel_build(actor, b.id)
    return redirect(build_url(tenant, found.slug, number))


@require_POST
def rerun(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
    """Run the same build once more, as a new attempt; a draft is started."""
    actor, found, b = find_build(request, tenant, project, number)
    made = start_build(actor, b.id) if b.status == BuildStatus.DRAFT else rerun_build(actor, b.id)
    return redirect(build_url(tenant, found.slug, made.number))
