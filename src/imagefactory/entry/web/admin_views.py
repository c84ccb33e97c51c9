"""The administration's first page, and what its other pages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from imagefactory.domain.builds.selectors import live_slots
from imagefactory.domain.identity import policies, selectors
from imagefactory.domain.identity.permissions import (
    ROLE_PERMISSIONS,
    SYSTEM_ROLE_MEANINGS,
    SYSTEM_ROLE_NAMES,
    Capability,
    Role,
    SystemRole,
)
from imagefactory.domain.identity.states import TenantState
from imagefactory.domain.notifications.selectors import mail_configured
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form
from imagefactory.entry.web.rights import LABELS
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, RateLimited, ValidationFailed
from imagefactory.kernel.outbox.waiting import waiting_since

STATE_WORDS = {
    TenantState.ACTIVE: "Active",
    TenantState.AWAITING_APPROVAL: "Awaiting approval",
    TenantState.SUSPENDED: "Suspended",
    TenantState.DELETING: "Being deleted",
}
CAPABILITY_WORDS = {
    Capability.BUILD: "Build",
    Capability.QUARANTINE_REQUEST: "Quarantine requests",
    Capability.QUARANTINE_RELEASE: "Quarantine releases",
    Capability.ONDEMAND_IMAGE_SCANNING: "Scanning on demand",
}
STUCK_SECONDS = 60


def administrator_of(request: HttpRequest) -> Actor:
    """Return who is asking, outside any tenant.

    Raises NotFound for whoever holds no system role, PermissionDenied for a reviewer.
    """
    actor = actor_of(request)
    if actor.tenant_id is not None:
        actor = selectors.outside_tenants(actor)
        request._actor = actor  # type: ignore[attr-defined]  # noqa: SLF001 - ours: the frame shows where one is
    authorize(policies.may_see_installation(actor))
    return actor


def may_change(actor: Actor) -> bool:
    return policies.may_change_installation(actor) is True


def attempt(form: Form, act: Callable[[], object], field: str = "reason") -> tuple[Form, int]:
    """Do it, and return the form as it is to be shown if that was refused, with the status of the page."""
    try:
        act()
    except ValidationFailed as error:
        return Form(form.values, error.fields), 422
    except Conflict as error:
        return Form(form.values, {field: [error.message]}), 409
    except RateLimited as error:
        return Form(form.values, {field: [error.message]}), 429
    return form, 200


def search_of(request: HttpRequest, *names: str) -> dict[str, str]:
    """Return the filters of a list as they stand in its address, bounded."""
    return {name: request.GET.get(name, "")[:200].replace("\0", "") for name in names}


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """What waits for an administrator, and what is wrong now."""
    actor = administrator_of(request)
    waiting, _, count = selectors.all_tenants(actor, state=TenantState.AWAITING_APPROVAL, limit=10)
    oldest = waiting_since()
    slots = live_slots()
    wrong: list[tuple[str, str]] = []
    if oldest is not None and (now() - oldest).total_seconds() > STUCK_SECONDS:
        wrong.append(
            ("Events are stuck", "The oldest waits longer than a minute. Look into the log of the process worker.")
        )
    if not mail_configured():
        wrong.append(
            ("No mail is sent", "Set IMAGEFACTORY_MAIL_HOST; until then people read their notices in the pages only.")
        )
    if slots is None:
        wrong.append(("No build worker is connected", "Builds wait. Start a dispatcher with `imagefactory up`."))
    page: dict[str, Any] = {
        "waiting": waiting, "waiting_count": count, "wrong": wrong, "figures": selectors.figures(actor),
        "sign_up": env.get().sign_up, "slots": slots, "states": [(str(s), w) for s, w in STATE_WORDS.items()],
        "mail": mail_configured(), "may_change": may_change(actor),
    }  # fmt: skip
    page["by_state"] = [(w, key, page["figures"].tenants[key]) for key, w in page["states"]]
    return show.page(request, "admin_overview.html", page)


@require_GET
def roles(request: HttpRequest) -> HttpResponse:
    """Roles and permissions: what each role may do, who holds the system roles, and every permission."""
    actor = administrator_of(request)
    holders, _, _ = selectors.all_people(actor, role="any", limit=200)
    page = {
        "roles": [r.capitalize() for r in Role],
        "matrix": [(label, str(p), [p in ROLE_PERMISSIONS[r] for r in Role]) for p, label in LABELS.items()],
        "system_roles": [
            (SYSTEM_ROLE_NAMES[r], SYSTEM_ROLE_MEANINGS[r], [p for p in holders if r in p.system_roles])
            for r in SystemRole
        ],
    }  # fmt: skip
    return show.page(request, "admin_roles.html", page)
