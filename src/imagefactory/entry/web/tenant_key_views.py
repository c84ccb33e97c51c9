"""All keys of a team, the rule for their life, and the networks that requests may come from."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.permissions import Permission
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import key_forms as forms
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.navigation import settings_page
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, ValidationFailed

PAGE = 50


def _after(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None


@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest, tenant: str) -> HttpResponse:
    """Show whose keys there are; the form sets the longest life of new ones."""
    actor = actor_of(request, tenant)
    authorize(policies.may_oversee_keys(actor))
    days_max = selectors.key_days_max(actor.tenant)
    form = Form({"days_max": str(days_max)})
    if request.method == "POST":
        form = Form(typed(request.POST, "days_max"))
        given = form.value("days_max").strip()
        try:
            services.set_key_policy(actor, days_max=forms.number(given) if given else None)
            messages.success(request, "The rule is saved. It holds for keys that are made from now on.")
            return redirect(request.path)
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    search = request.GET.get("q", "").replace("\0", "")[:100]
    after = _after(request.GET.get("after", ""))
    found = selectors.keys_of_tenant(actor, search=search, after=after, limit=PAGE + 1)
    page = {
        "form": form, **settings_page(actor, "keys"), "search": search,
        "rows": forms.key_rows(actor, found[:PAGE]), "after": found[PAGE - 1].id if len(found) > PAGE else "",
        "ci_rows": forms.key_rows(actor, selectors.ci_keys_of_tenant(actor)),
    }  # fmt: skip
    return show.page(request, "tenant_keys.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def revoke_key(request: HttpRequest, tenant: str, tenant_key_id: uuid.UUID) -> HttpResponse:
    """Say whose key it is, and revoke it when that page is sent."""
    actor = actor_of(request, tenant)
    key = selectors.key_of_tenant(actor, tenant_key_id)
    if request.method == "GET":
        page = {"form": Form(), **settings_page(actor, "keys"), "key": key}
        return show.page(request, "tenant_key_revoke.html", page)
    services.revoke_api_key(actor, tenant_key_id)
    messages.success(request, f"The key {key.name} of {key.holder} is revoked. It stopped working at once.")
    return redirect(f"/t/{tenant}/settings/keys")


@require_http_methods(["GET", "POST"])
def network(request: HttpRequest, tenant: str) -> HttpResponse:
    """Show and change from where requests are taken."""
    actor = actor_of(request, tenant)
    found = selectors.ip_list(actor)
    lines = "\n".join(services.note_of(n) for n in found.networks)
    form = Form({"networks": lines, "for_sessions": "1" if found.for_sessions else "", "version": str(found.version)})
    if request.method == "POST":
        form = Form(typed(request.POST, "networks", "for_sessions", "version", "confirmed"))
        try:
            services.set_ip_list(
                actor, networks=services.parse_lines(form.value("networks")), confirmed=bool(form.value("confirmed")),
                for_sessions=bool(form.value("for_sessions")), if_version=forms.number(form.value("version")),
            )  # fmt: skip
            messages.success(request, "The list is saved. It holds from the next request on.")
            return redirect(request.path)
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
        except Conflict as error:
            form = Form(form.values, {"networks": [error.message]})
    page = {
        "form": form, **settings_page(actor, "network"), "networks": found.networks, "address": actor.address,
        "for_sessions": found.for_sessions, "may_edit": actor.may(Permission.SETTINGS_EDIT),
    }  # fmt: skip
    return show.page(request, "tenant_network.html", page, status=form.status)
