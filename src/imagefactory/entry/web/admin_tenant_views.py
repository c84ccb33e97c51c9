"""All teams of the installation, one team, and what administrators do to it."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.permissions import CAPABILITY_MEANINGS, Capability
from imagefactory.domain.identity.selectors import TenantProfile
from imagefactory.domain.identity.states import TENANT, TenantState
from imagefactory.entry.web import show
from imagefactory.entry.web.admin_views import (
    CAPABILITY_WORDS,
    STATE_WORDS,
    administrator_of,
    attempt,
    may_change,
    search_of,
)
from imagefactory.entry.web.forms import Form, typed
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import NotFound, ValidationFailed


@dataclasses.dataclass(frozen=True)
class Action:
    """One change of state that an administrator may order: its words, and the service that does it."""

    label: str
    consequences: str
    done: str
    target: TenantState
    source: TenantState
    service: Callable[..., None]
    danger: bool = False


ACTIONS: Final[dict[str, Action]] = {
    "approve": Action(
        "Approve team", "Its people can work at once, and its owners are told.", "The team is approved.",
        TenantState.ACTIVE, TenantState.AWAITING_APPROVAL, services.approve_tenant,
    ),
    "refuse": Action(
        "Refuse team",
        "Its owners are told the reason. The team can be read until it is removed after the grace period; until then an "
        "administrator can bring it back.",
        "The team is refused.", TenantState.DELETING, TenantState.AWAITING_APPROVAL, services.refuse_tenant, danger=True,
    ),
    "suspend": Action(
        "Suspend team",
        "Pages and pulls of images go on. Every change is refused, on pages, API, command line and pushes to the registry. "
        "Builds that run now finish; queued builds wait and go on when the suspension is lifted. People can sign in, and the "
        "owners are told the reason.",
        "The team is suspended.", TenantState.SUSPENDED, TenantState.ACTIVE, services.suspend_tenant, danger=True,
    ),
    "lift": Action(
        "Lift suspension", "Its people can change things again, and queued builds go on.", "The suspension is lifted.",
        TenantState.ACTIVE, TenantState.SUSPENDED, services.lift_suspension,
    ),
    "keep": Action(
        "Stop the deletion", "The team is again as it was before the deletion.", "The deletion is stopped.",
        TenantState.ACTIVE, TenantState.DELETING, services.stop_deletion,
    ),
}  # fmt: skip


@require_GET
def tenants(request: HttpRequest) -> HttpResponse:
    actor = administrator_of(request)
    return _list(request, actor, Form(), 200)


def _list(request: HttpRequest, actor: Actor, form: Form, status: int) -> HttpResponse:
    wanted = search_of(request, "q", "state", "without", "after")
    found, after, total = selectors.all_tenants(
        actor, search=wanted["q"], state=wanted["state"], without=wanted["without"], after=wanted["after"]
    )
    kept = {k: v for k, v in wanted.items() if v and k != "after"}
    rows = [
        (t, STATE_WORDS[TenantState(t.state)], ", ".join(CAPABILITY_WORDS[Capability(c)] for c in t.capabilities) or "none",
         str(t.id) in request.POST.getlist("tenants"))
        for t in found
    ]  # fmt: skip
    page = {
        "rows": rows, "total": total, "wanted": wanted, "filtered": bool(kept), "form": form,
        "states": [("", "Any state"), *((str(s), w) for s, w in STATE_WORDS.items())],
        "lacking": [("", "Any capabilities"), *((str(c), f"Without {w.lower()}") for c, w in CAPABILITY_WORDS.items())],
        "capabilities": [(str(c), w) for c, w in CAPABILITY_WORDS.items()], "switches": [("on", "On"), ("off", "Off")],
        "more": "?" + urlencode(kept | {"after": after}) if after else "", "may_change": may_change(actor),
    }  # fmt: skip
    return show.page(request, "admin_tenants.html", page, status=status)


@require_POST
def switch_many(request: HttpRequest) -> HttpResponse:
    """Switch one capability of several teams, all or none, with one reason."""
    actor = administrator_of(request)
    authorize(policies.may_change_installation(actor))
    form = Form(typed(request.POST, "capability", "switch", "reason"))
    chosen: list[uuid.UUID] = []
    with contextlib.suppress(ValueError):
        chosen = [uuid.UUID(text) for text in request.POST.getlist("tenants")]
    key = form.value("capability")
    wanted = {Capability(key): form.value("switch") == "on"} if key in set(Capability) else {}
    form, status = attempt(
        form, lambda: services.set_capabilities(actor, chosen, wanted, reason=form.value("reason")), "tenants"
    )
    if form.errors:
        return _list(request, actor, form, status)
    messages.success(request, f"The capability is switched {form.value('switch')} for {len(chosen)} team(s).")
    return redirect("/admin/tenants")


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    actor = administrator_of(request)
    authorize(policies.may_change_installation(actor))
    form = Form(typed(request.POST, "name", "slug", "owner_email"))
    if request.method == "POST":
        try:
            made = services.create_tenant_for(actor, **form.values)
            messages.success(request, f"Team {made.name} is made.")
            return redirect(f"/admin/tenants/{made.slug}")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    return show.page(request, "admin_tenant_new.html", {"form": form}, status=form.status)


def _find(actor: Actor, slug: str) -> TenantProfile:
    return selectors.tenant_profile(selectors.tenant_id_of(actor, slug))


def _page(actor: Actor, profile: TenantProfile, section: str, **more: Any) -> dict[str, Any]:
    state = TenantState(profile.state)
    able = may_change(actor)
    return {
        "profile": profile, "section": section, "base": f"/admin/tenants/{profile.slug}", "may_change": able,
        "state": STATE_WORDS[state], "deleting": state is TenantState.DELETING,
        "actions": [(key, a) for key, a in ACTIONS.items() if able and a.source is state],
        "may_delete": able and TENANT.allows(state, TenantState.DELETING), **more,
    }  # fmt: skip


@require_GET
def tenant(request: HttpRequest, slug: str) -> HttpResponse:
    actor = administrator_of(request)
    profile = _find(actor, slug)
    page = _page(
        actor, profile, "overview", people=selectors.members_of_tenant(actor, profile.id), form=Form(),
        members=selectors.count_members(profile.id),
        owners={p.id for p in selectors.owners_of(profile.id)},
    )  # fmt: skip
    return show.page(request, "admin_tenant.html", page)


@require_http_methods(["GET", "POST"])
def capabilities(request: HttpRequest, slug: str) -> HttpResponse:
    """The four switches of one team in one form, and who moved them when and why."""
    actor = administrator_of(request)
    profile, form, status = _find(actor, slug), Form(typed(request.POST, "reason")), 200
    wanted = {c: str(c) in request.POST.getlist("on") for c in Capability}
    if request.method == "POST":
        form, status = attempt(
            form, lambda: services.set_capabilities(actor, [profile.id], wanted, reason=form.value("reason"))
        )
        if not form.errors:
            messages.success(request, "The capabilities are saved. They hold with the next request.")
            return redirect(request.path)
    shown = wanted if request.method == "POST" else {c: profile.capabilities[str(c)] for c in Capability}
    page = _page(
        actor, profile, "capabilities", form=form,
        switches=[(str(c), CAPABILITY_WORDS[c], CAPABILITY_MEANINGS[c], shown[c]) for c in Capability],
        history=_history(profile.id),
    )  # fmt: skip
    return show.page(request, "admin_tenant_capabilities.html", page, status=status)


def _history(tenant_id: uuid.UUID) -> list[tuple[str, str, str, Any]]:
    """Return decisions as (what, before, after, decision), in words."""
    words = {str(s): w for s, w in STATE_WORDS.items()}
    names = {str(c): w for c, w in CAPABILITY_WORDS.items()} | {"state": "State"}
    return [
        (names.get(d.what, d.what), words.get(d.before, d.before), words.get(d.after, d.after), d)
        for d in selectors.history_of(tenant_id)
    ]


@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, slug: str, action: str) -> HttpResponse:
    """Say what a change of state does, and do it when that page is sent with a reason."""
    actor = administrator_of(request)
    profile = _find(actor, slug)
    wanted = ACTIONS.get(action)
    if wanted is None:
        raise NotFound("action")
    authorize(policies.may_change_installation(actor))
    form, status = Form(typed(request.POST, "reason")), 200
    if request.method == "POST":
        form, status = attempt(form, lambda: wanted.service(actor, profile.id, reason=form.value("reason")))
        if not form.errors:
            messages.success(request, wanted.done)
            return redirect(f"/admin/tenants/{profile.slug}")
    page = _page(actor, profile, "overview", form=form, action=wanted, key=action)
    return show.page(request, "admin_tenant_act.html", page, status=status)


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    actor = administrator_of(request)
    profile = _find(actor, slug)
    authorize(policies.may_change_installation(actor))
    form, status = Form(typed(request.POST, "confirm", "reason")), 200
    if request.method == "POST":
        form, status = attempt(form, lambda: services.delete_tenant(actor, profile.id, **form.values))
        if not form.errors:
            messages.success(request, "The deletion has begun; an export is being made for the owners.")
            return redirect(f"/admin/tenants/{profile.slug}")
    page = _page(
        actor, profile, "overview", form=form, days=env.get().deletion_grace_days,
        members=selectors.count_members(profile.id),
    )  # fmt: skip
    return show.page(request, "admin_tenant_delete.html", page, status=status)
