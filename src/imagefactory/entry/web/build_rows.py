"""Rows of builds for lists, with the names of their projects and what queued ones wait for."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterable, Sequence

from imagefactory.domain.builds.selectors import BuildView
from imagefactory.domain.builds.states import Trigger
from imagefactory.domain.projects.selectors import ProjectView, projects_by_id
from imagefactory.entry.web import words
from imagefactory.kernel.actor import Actor

# How a build was asked for; the pages themselves need no word.
_TRIGGERS: dict[str, str] = {Trigger.WEB: "", Trigger.API: "API", Trigger.CLI: "CLI", Trigger.RERUN: "rerun"}


@dataclasses.dataclass(frozen=True)
class BuildRow:
    """One line of a list of builds."""

    id: uuid.UUID
    url: str
    name: str
    number: int
    status: str
    project: str
    project_url: str
    ref: str
    commit: str
    method: str
    trigger: str
    by: str
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    queued_for: str
    at: dt.datetime
    failure: str


def trigger_word(build: BuildView) -> str:
    """Return how a build was asked for; empty for the pages, and the name itself for what they do not know."""
    return _TRIGGERS.get(build.trigger, build.trigger)


def title(build: BuildView) -> str:
    """Return what a build is called: the first line of its commit's message, or its name."""
    return build.commit_message.partition("\n")[0] or build.name or f"Build {build.number}"


def build_url(tenant: str, project: str, number: int) -> str:
    return f"/t/{tenant}/p/{project}/builds/{number}"


def _row(tenant: str, project: ProjectView, b: BuildView) -> BuildRow:
    return BuildRow(
        b.id, build_url(tenant, project.slug, b.number), title(b), b.number, b.status, project.name,
        f"/t/{tenant}/p/{project.slug}/", b.ref, b.commit[:8], b.method, trigger_word(b),
        b.created_by_name, b.started_at, b.finished_at, words.between(b.queued_at, b.started_at), b.created_at,
        str(b.failure.get("message", "")) if b.failure else "",
    )  # fmt: skip


def rows(actor: Actor, builds: Sequence[BuildView]) -> list[BuildRow]:
    """Return the rows of these builds; one query for all their projects."""
    projects = projects_by_id(actor, {b.project_id for b in builds})
    return [_row(actor.tenant_slug, projects[b.project_id], b) for b in builds if b.project_id in projects]


@dataclasses.dataclass(frozen=True)
class Bar:
    """One build in a strip: x and height in a box 90 wide and 28 high, its class by result, and its address."""

    x: int
    y: int
    height: int
    tone: str
    url: str
    label: str


_TONES = {"succeeded": "a", "failed": "b", "cancelled": "c"}


def strip(base: str, newest_first: Iterable[BuildView]) -> list[Bar]:
    """Return the bars of a project's builds, oldest first; the height is the duration against the longest."""
    builds = list(newest_first)[::-1]
    seconds = [_seconds(b) for b in builds]
    longest = max(seconds, default=0) or 1
    found = []
    for place, (b, lasted) in enumerate(zip(builds, seconds, strict=True)):
        height = 6 + round(22 * lasted / longest)
        label = f"#{b.number} {b.status}" + (f", {words.duration(lasted)}" if lasted else "")
        tone = _TONES.get(b.status, "r")
        found.append(Bar(place * 6, 28 - height, height, tone, f"{base}builds/{b.number}", label))
    return found


def _seconds(b: BuildView) -> float:
    return (b.finished_at - b.started_at).total_seconds() if b.started_at and b.finished_at else 0.0


def success(builds: Iterable[BuildView]) -> str:
    """Return the share of successes with what it is counted over; empty without finished builds."""
    done = [b.status for b in builds if b.status in {"succeeded", "failed"}]
    return f"{100 * done.count('succeeded') / len(done):.0f} % of {len(done)}" if done else ""
