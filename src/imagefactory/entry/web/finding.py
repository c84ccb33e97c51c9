"""Find what an address of a build names: actor, project, build, attempt; a stranger gets what never existed."""

from __future__ import annotations

from django.http import HttpRequest

from imagefactory.domain.builds.selectors import BuildDetail, ExecutionView, get_build_by_number, get_execution
from imagefactory.domain.projects.selectors import ProjectView, get_project
from imagefactory.entry.http.actors import actor_of
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import InvalidRequest, NotFound


def find_build(request: HttpRequest, tenant: str, project: str, number: int) -> tuple[Actor, ProjectView, BuildDetail]:
    """Return who asks, the project and the build. Raises NotFound for what they may not see."""
    actor = actor_of(request, tenant)
    found = get_project(actor, project)
    return actor, found, get_build_by_number(actor, found.id, number)


def number_of(request: HttpRequest, name: str, default: int, most: int) -> int:
    """Return a whole number of the query. Raises InvalidRequest for anything else or more than `most`."""
    text = request.GET.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= most):
        raise InvalidRequest(f"{name} is a whole number from 0 to {most:,}; leave it out for the default.")
    return int(text)


def attempt_of(request: HttpRequest) -> int | None:
    """Return the attempt that the address names, None for the newest. Raises InvalidRequest."""
    return number_of(request, "attempt", 0, 32_767) or None


def find_attempt(actor: Actor, build: BuildDetail, attempt: int | None) -> ExecutionView | None:
    """Return an attempt; None when the build has none yet. Raises NotFound for a number that does not exist."""
    try:
        return get_execution(actor, build.id, attempt)
    except NotFound:
        if attempt is not None:
            raise
        return None
