"""All people of the installation, one person, and what administrators do to their account."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.permissions import SYSTEM_ROLE_MEANINGS, SYSTEM_ROLE_NAMES, SystemRole
from imagefactory.entry.web import show
from imagefactory.entry.web.admin_views import administrator_of, attempt, may_change, search_of
from imagefactory.entry.web.forms import Form, typed
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import NotFound


@dataclasses.dataclass(frozen=True)
class Action:
    """One thing that an administrator may do to an account: its words, and the service that does it."""

    label: str
    consequences: str
    done: str
    service: Callable[..., object]
    danger: bool = False


ACTIONS: Final[dict[str, Action]] = {
    "suspend": Action(
        "Suspend account",
        "They are out at once: pages, API, keys and the registry. What they made stays, and their roles are kept for when the "
        "account is restored.",
        "The account is suspended.", services.suspend_account, danger=True,
    ),
    "restore": Action(
        "Restore account", "They can sign in again, with the roles that they had.", "The account is restored.",
        services.restore_account,
    ),
    "end-sessions": Action(
        "Sign out everywhere", "All their browsers and API sign-ins end. API keys stay; they sign in again with their password.",
        "All sessions are ended.", services.end_sessions, danger=True,
    ),
    "unlock": Action(
        "Unlock sign-in", "Their failed attempts are forgotten, and they can try again at once.", "The sign-in is unlocked.",
        services.unlock_account,
    ),
    "force-password-change": Action(
        "Ask for a new password", "They can do nothing before they have set a new password. Their API keys go on.",
        "A new password is asked for.", services.force_new_password, danger=True,
    ),
    "reset-second-factors": Action(
        "Take second factors", "For someone who lost them: app, security keys and recovery codes are gone, and all sign-ins "
        "end. Their password alone signs them in again. Be sure who asks.",
        "The second factors are taken.", services.reset_second_factors, danger=True,
    ),
}  # fmt: skip


@require_GET
def people(request: HttpRequest) -> HttpResponse:
    actor = administrator_of(request)
    wanted = search_of(request, "q", "state", "role", "after")
    rows, after, total = selectors.all_people(
        actor, search=wanted["q"], state=wanted["state"], role=wanted["role"], after=wanted["after"]
    )
    kept = {k: v for k, v in wanted.items() if v and k != "after"}
    page = {
        "rows": [(p, _role_names(p.system_roles)) for p in rows], "total": total, "wanted": wanted, "filtered": bool(kept),
        "states": [("", "Any state"), ("active", "Active"), ("suspended", "Suspended")],
        "roles": [("", "Any access"), ("any", "Any system role"), *((str(r), n) for r, n in SYSTEM_ROLE_NAMES.items())],
        "more": "?" + urlencode(kept | {"after": after}) if after else "",
    }  # fmt: skip
    return show.page(request, "admin_people.html", page)


def _role_names(roles: Any) -> str:
    return ", ".join(SYSTEM_ROLE_NAMES[SystemRole(r)] for r in roles)


def _page(actor: Actor, user_id: uuid.UUID, **more: Any) -> dict[str, Any]:
    person, able = selectors.get_person(actor, user_id), may_change(actor)
    offered = ["suspend", "end-sessions", "unlock"] if person.row.active else ["restore"]
    if person.row.active and not person.must_change_password:
        offered.append("force-password-change")
    if person.has_second_factor:
        offered.append("reset-second-factors")
    return {
        "person": person, "base": f"/admin/people/{user_id}", "may_change": able,
        "actions": [(key, ACTIONS[key]) for key in offered] if able else [],
        "system_roles": [
            (str(r), SYSTEM_ROLE_NAMES[r], SYSTEM_ROLE_MEANINGS[r], r in person.row.system_roles) for r in SystemRole
        ],
        **more,
    }  # fmt: skip


@require_GET
def person(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    actor = administrator_of(request)
    return show.page(request, "admin_person.html", _page(actor, user_id, form=Form()))


@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, user_id: uuid.UUID, action: str) -> HttpResponse:
    """Say what it does to the account, and do it when that page is sent with a reason."""
    actor = administrator_of(request)
    wanted = ACTIONS.get(action)
    if wanted is None:
        raise NotFound("action")
    return _confirmed(
        request, actor, user_id, wanted, f"/admin/people/{user_id}/{action}",
        lambda reason: wanted.service(actor, user_id, reason=reason),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def system_role(request: HttpRequest, user_id: uuid.UUID, role: str, action: str) -> HttpResponse:
    """Say what a system role allows, and grant or revoke it when that page is sent with a reason."""
    actor = administrator_of(request)
    if role not in set(SystemRole) or action not in {"grant", "revoke"}:
        raise NotFound("system role")
    wanted, name = SystemRole(role), SYSTEM_ROLE_NAMES[SystemRole(role)]
    if action == "grant":
        words = Action(f"Make {name.lower()}", SYSTEM_ROLE_MEANINGS[wanted], f"The role {name.lower()} is granted.",
                       services.grant_system_role)  # fmt: skip
    else:
        words = Action(f"Take the role {name.lower()}", "They lose it with their next request.",
                       f"The role {name.lower()} is taken.", services.revoke_system_role, danger=True)  # fmt: skip
    return _confirmed(
        request, actor, user_id, words, f"/admin/people/{user_id}/roles/{role}/{action}",
        lambda reason: words.service(actor, user_id, wanted, reason=reason),
    )  # fmt: skip


def _confirmed(
    request: HttpRequest, actor: Actor, user_id: uuid.UUID, words: Action, address: str, do: Callable[[str], object]
) -> HttpResponse:
    form, status = Form(typed(request.POST, "reason")), 200
    page = _page(actor, user_id, action=words, address=address)
    authorize(policies.may_change_installation(actor))
    if request.method == "POST":
        form, status = attempt(form, lambda: do(form.value("reason")))
        if not form.errors:
            messages.success(request, words.done)
            # Who took their own last right to be here is not sent to a page that does not exist for them.
            return redirect("/" if user_id == actor.person and not _still_here(user_id) else f"/admin/people/{user_id}")
    return show.page(request, "admin_person_act.html", page | {"form": form}, status=status)


def _still_here(user_id: uuid.UUID) -> bool:
    return any(p.id == user_id for p in selectors.administrators())
