"""Read builds, attempts, stages, usage and the queue, within what the actor may see."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F, Q, QuerySet

from imagefactory.domain.builds.errors import BuildNotFound, ExecutionNotFound
from imagefactory.domain.builds.models import (
    Build,
    BuildQuerySet,
    BuildText,
    Execution,
    Stage,
    TenantQueue,
    UsageSample,
    Worker,
)
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.kernel import ids
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now

WORKER_SILENT = dt.timedelta(seconds=30)


@dataclasses.dataclass(frozen=True)
class BuildView:
    """A build as lists and pages show it."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    project_id: uuid.UUID
    number: int
    name: str
    status: str
    method: str
    queue: str
    trigger: str
    created_by_id: uuid.UUID | None
    created_by_name: str
    created_at: dt.datetime
    queued_at: dt.datetime | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    cancel_requested: bool
    attempts: int
    ref: str
    commit: str
    commit_message: str
    wait_reason: str
    failure: Mapping[str, Any]
    image: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class BuildDetail(BuildView):
    """A build with the whole manifest and source that it was submitted with."""

    manifest: Mapping[str, Any]
    source: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class StageView:
    name: str
    status: str
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    exit_code: int | None
    first_line: int | None
    last_line: int | None
    message: str


@dataclasses.dataclass(frozen=True)
class ExecutionView:
    """One attempt with its stages."""

    id: uuid.UUID
    attempt: int
    status: str
    worker: str
    claimed_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    reason: str
    exit_code: int | None
    isolation: Mapping[str, Any]
    facts: Mapping[str, Any]
    log_lines: int
    masked_values: int
    progress: Mapping[str, Any]
    usage: Mapping[str, Any]
    stages: Sequence[StageView]


@dataclasses.dataclass(frozen=True)
class Usage:
    """One sample: CPU as a running total, the rest as levels."""

    at: dt.datetime
    cpu_ms: int
    memory_bytes: int
    disk_bytes: int
    pids: int
    net_in_bytes: int
    net_out_bytes: int


_FIELDS = [f.name for f in dataclasses.fields(BuildView) if f.name != "cancel_requested"]


def _view(row: Mapping[str, Any]) -> BuildView:
    fields = dict(row)
    return BuildView(cancel_requested=fields.pop("cancel_requested_at") is not None, **fields)


def get_build(actor: Actor, build_id: uuid.UUID) -> BuildDetail:
    """Return one build.

    Raises BuildNotFound, also for one that the actor may not see.
    """
    return _detail(Build.objects.visible_to(actor).filter(id=build_id))


def get_build_by_number(actor: Actor, project_id: uuid.UUID, number: int) -> BuildDetail:
    """Return the build of a project with this number.

    Raises BuildNotFound.
    """
    return _detail(Build.objects.visible_to(actor).filter(project_id=project_id, number=number))


def _detail(rows: BuildQuerySet) -> BuildDetail:
    row = rows.values(*_FIELDS, "cancel_requested_at", "manifest", "source").first()
    if row is None:
        raise BuildNotFound
    fields: dict[str, Any] = dict(row)
    return BuildDetail(cancel_requested=fields.pop("cancel_requested_at") is not None, **fields)


@dataclasses.dataclass(frozen=True)
class BuildFilter:
    """What a list of builds is narrowed to; empty means all. Created from `since` on and before `until`.

    `text` stands in the name or the commit's message, begins the commit's number, or is the build's number.
    """

    project_id: uuid.UUID | None = None
    status: str = ""
    method: str = ""
    author: uuid.UUID | None = None
    ref: str = ""
    text: str = ""
    trigger: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None


def _filtered(actor: Actor, wanted: BuildFilter) -> BuildQuerySet:
    require_tenant(actor)
    rows = Build.objects.visible_to(actor)
    exact = {"project_id": wanted.project_id, "status": wanted.status, "method": wanted.method,
             "created_by_id": wanted.author, "ref": wanted.ref, "trigger": wanted.trigger,
             # Ids rise with the time of their making, so the index that orders the list also narrows it.
             "id__gte": wanted.since and ids.first_at(wanted.since),
             "id__lt": wanted.until and ids.first_at(wanted.until)}  # fmt: skip
    rows = rows.filter(**{k: v for k, v in exact.items() if v})
    return rows.filter(id__in=_with_text(wanted.text[:100].upper())) if wanted.text else rows


def _with_text(text: str) -> QuerySet[BuildText, uuid.UUID]:
    match = Q(words__contains=text)
    if re.fullmatch(r"[0-9A-F]{4,64}", text):
        match |= Q(codes__contains=f"@{text}")
    if re.fullmatch(r"#?[0-9]{1,9}", text):
        match |= Q(codes__contains=f"#{text.lstrip('#')} ")
    return BuildText.objects.filter(match).values_list("build_id", flat=True)


def list_builds(
    actor: Actor, wanted: BuildFilter, *, before: uuid.UUID | None = None, limit: int = 50
) -> tuple[list[BuildView], uuid.UUID | None]:
    """Return builds, newest first, and the cursor of the next page (ids rise with time)."""
    rows = _filtered(actor, wanted)
    if before:
        rows = rows.filter(id__lt=before)
    page = [_view(r) for r in rows.order_by("-id").values(*_FIELDS, "cancel_requested_at")[: limit + 1]]
    return page[:limit], page[limit - 1].id if len(page) > limit else None


SEARCHED = 2000


def find_builds(actor: Actor, text: str, limit: int) -> list[BuildView]:
    """Return builds by number, or by words among the SEARCHED newest: a search as people type must not read a million.

    Exact numbers come first, then the newest.
    """
    require_tenant(actor)
    mine, fields = Build.objects.visible_to(actor), (*_FIELDS, "cancel_requested_at")
    digits = text.removeprefix("#")
    found: list[BuildView] = []
    if digits.isascii() and digits.isdigit() and len(digits) < 10:
        # Through the tenant's projects, so that the index on (project, number) serves.
        rows = mine.filter(project__tenant_id=actor.tenant, number=int(digits)).order_by("-id")
        found = [_view(r) for r in rows.values(*fields)[:limit]]
    newest = mine.order_by("-id").values("id")[:SEARCHED]
    rows = Build.objects.filter(id__in=newest)
    if text:
        match = Q(name__icontains=text) | Q(commit_message__icontains=text) | Q(commit__startswith=text.lower())
        rows = rows.filter(match)
    seen = {b.id for b in found}
    found += [v for r in rows.order_by("-id").values(*fields)[:limit] if (v := _view(r)).id not in seen]
    return found[:limit]


COUNT_CAP = 1000


def count_builds(actor: Actor, wanted: BuildFilter) -> int:
    """Return how many builds match, up to COUNT_CAP + 1: counting a million rows is not worth a page's time."""
    return len(_filtered(actor, wanted).order_by("-id").values_list("id")[: COUNT_CAP + 1])


def _execution(actor: Actor, build_id: uuid.UUID, attempt: int | None) -> Execution:
    visible = Build.objects.visible_to(actor).filter(id=build_id)
    rows = Execution.objects.filter(build__in=visible)
    found = (rows.filter(attempt=attempt) if attempt else rows.order_by("-attempt")).first()
    if found is None:
        raise ExecutionNotFound
    return found


def get_execution(actor: Actor, build_id: uuid.UUID, attempt: int | None = None) -> ExecutionView:
    """Return an attempt of a build, the newest by default.

    Raises ExecutionNotFound.
    """
    return _execution_views([_execution(actor, build_id, attempt)])[0]


def list_executions(actor: Actor, build_id: uuid.UUID, limit: int = 20) -> list[ExecutionView]:
    """Return the newest attempts of a build, oldest first."""
    visible = Build.objects.visible_to(actor).filter(id=build_id)
    return _execution_views(list(Execution.objects.filter(build__in=visible).order_by("-attempt")[:limit])[::-1])


def _execution_views(executions: Sequence[Execution]) -> list[ExecutionView]:
    stages: dict[uuid.UUID, list[StageView]] = {e.id: [] for e in executions}
    for s in Stage.objects.filter(execution_id__in=stages).order_by("position"):
        stages[s.execution_id].append(
            StageView(s.name, s.status, s.started_at, s.finished_at, s.exit_code, s.first_line, s.last_line, s.message)
        )
    return [
        ExecutionView(
            e.id, e.attempt, e.status, e.worker, e.claimed_at, e.started_at, e.finished_at, e.reason, e.exit_code,
            e.isolation, e.facts, e.log_lines, e.masked_values, e.progress, e.usage, stages[e.id],
        )
        for e in executions
    ]  # fmt: skip


def list_attempts(actor: Actor, build_id: uuid.UUID) -> list[tuple[int, str]]:
    """Return (attempt, status) of all attempts, oldest first."""
    visible = Build.objects.visible_to(actor).filter(id=build_id)
    return list(Execution.objects.filter(build__in=visible).order_by("attempt").values_list("attempt", "status"))


def list_usage(actor: Actor, build_id: uuid.UUID, attempt: int | None = None) -> list[Usage]:
    """Return the usage samples of an attempt in order."""
    e = _execution(actor, build_id, attempt)
    rows = UsageSample.objects.filter(execution=e).order_by("id")[:2000]
    return [Usage(u.at, u.cpu_ms, u.memory_bytes, u.disk_bytes, u.pids, u.net_in_bytes, u.net_out_bytes) for u in rows]


def last_success(actor: Actor, project_id: uuid.UUID, before_number: int) -> BuildView | None:
    """Return the newest succeeded build before this number."""
    rows = Build.objects.visible_to(actor).filter(
        project_id=project_id, number__lt=before_number, status=BuildStatus.SUCCEEDED
    )
    row = rows.order_by("-id").values(*_FIELDS, "cancel_requested_at").first()
    return _view(row) if row else None


@dataclasses.dataclass(frozen=True)
class QueuePlace:
    """Where a queued build stands and what it waits for, as a sentence. `ahead` counts to COUNT_CAP + 1 and no further."""

    ahead: int
    running: int
    limit: int
    reason: str


def queue_place(actor: Actor, build: BuildView) -> QueuePlace | None:
    """Return the place of a queued build; None when it is not queued. Counts within its own tenant only."""
    if build.status != BuildStatus.QUEUED or build.queued_at is None:
        return None
    me = Build.objects.visible_to(actor).get(id=build.id)
    ahead = _ahead(me)
    tenant = TenantQueue.objects.filter(tenant_id=build.tenant_id).first()
    running, limit = (tenant.running, tenant.max_running) if tenant else (0, 0)
    first = f"{ahead} ahead" if ahead else "next in line"
    if ahead > COUNT_CAP:
        first = f"more than {COUNT_CAP:,} ahead"
    if me.not_before and me.not_before > now():
        reason = f"{build.wait_reason or 'A start failed.'} Tried again at {me.not_before:%H:%M:%S} UTC."
    elif tenant and tenant.paused:
        reason = f"{first}; the team is not active, so nothing of it starts. Queued builds go on once it is."
    elif tenant and running >= limit:
        reason = f"{first}; the team's limit is reached, {running} of {limit} running."
    else:
        slots = live_slots()
        if slots is None:
            reason = f"{first}; no build worker is connected. An operator can start one with `imagefactory up`."
        elif slots[0] >= slots[1]:
            reason = f"{first}; all {slots[1]} places of the build workers are taken."
        else:
            reason = f"{first}; starting."
    return QueuePlace(ahead, running, limit, reason)


def _ahead(build: Build) -> int:
    """Count who starts before this build, up to COUNT_CAP + 1: two ranges of the queue's own index, however long it is."""
    queued = Build.objects.filter(tenant_id=build.tenant_id, status=BuildStatus.QUEUED)
    order, found = ("-rank", "queued_at", "id"), 0
    for before in (Q(rank__gt=build.rank), Q(rank=build.rank, queued_at__lt=build.queued_at)):
        found += len(queued.filter(before).order_by(*order).values_list("id")[: COUNT_CAP + 1 - found])
    return found


def live_slots() -> tuple[int, int] | None:
    """Return (running, slots) over all workers that reported lately, or None when there is none."""
    workers = list(Worker.objects.filter(seen_at__gt=now() - WORKER_SILENT).values_list("running", "slots"))
    if not workers:
        return None
    return sum(w[0] for w in workers), sum(w[1] for w in workers)


def list_workers() -> list[dict[str, Any]]:
    """Return the dispatcher hosts as they last reported themselves."""
    rows = Worker.objects.order_by("name").values("name", "slots", "running", "isolation", "version", "seen_at")
    return [dict(row) for row in rows]


def newest_per_project(
    actor: Actor, project_ids: Sequence[uuid.UUID], each: int = 30
) -> dict[uuid.UUID, list[BuildView]]:
    """Return the newest builds of each project, newest first, in one query; for the strips of lists."""
    from django.db.models import Window
    from django.db.models.functions import RowNumber

    rows = (
        Build.objects.visible_to(actor)
        .filter(project_id__in=project_ids)
        .annotate(place=Window(RowNumber(), partition_by=F("project_id"), order_by=F("id").desc()))
        .filter(place__lte=each)
        .order_by("-id")
        .values(*_FIELDS, "cancel_requested_at")
    )
    found: dict[uuid.UUID, list[BuildView]] = {}
    for row in rows:
        found.setdefault(row["project_id"], []).append(_view(row))
    return found


def running_count(actor: Actor) -> int:
    """Return how many builds run now, for the navigation."""
    return Build.objects.visible_to(actor).filter(status=BuildStatus.RUNNING).count()


def initiator(build_id: uuid.UUID) -> uuid.UUID | None:
    """Return the person who asked for the newest attempt of a build, or made the build; None when no person did."""
    row = Build.objects.filter(id=build_id).values_list("started_by_id", "created_by_id").first()
    return (row[0] or row[1]) if row else None


def may_see(actor: Actor, build_id: uuid.UUID) -> bool:
    return Build.objects.visible_to(actor).filter(id=build_id).exists()
