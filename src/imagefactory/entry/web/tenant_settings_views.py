"""Settings of a team: its profile, what it may use, and its end. Readable by all who are in it."""

from __future__ import annotations

import dataclasses

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.permissions import (
    CAPABILITY_MEANINGS,
    CAPABILITY_NAMES,
    LANGUAGES,
    Capability,
)
from imagefactory.domain.identity.states import TenantState
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed, version_of
from imagefactory.entry.web.navigation import settings_page
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, NotFound, RateLimited, TooLarge, ValidationFailed

_PROFILE = ("name", "time_zone", "language", "contact_email", "support_email")


def _may_change(actor: Actor) -> bool:
    return policies.may_change_tenant(actor, actor.tenant) is True


@require_http_methods(["GET", "POST"])
def general(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    profile = selectors.tenant_profile(actor.tenant)
    form = Form({name: str(getattr(profile, name)) for name in _PROFILE})
    if request.method == "POST":
        form = _save(request, actor)
        if not form.errors:
            messages.success(request, "The team's settings are saved.")
            return redirect(request.path)
    page = settings_page(
        actor, "general", form=form, profile=profile, may_edit=_may_change(actor), zones=selectors.time_zones(),
        languages=list(LANGUAGES.items()), version=profile.version,
        logo=next((t.logo for t in selectors.tenants_of(actor.person) if t.id == actor.tenant_id), ""),
    )  # fmt: skip
    return show.page(request, "tenant_settings_general.html", page, status=form.status)


def _save(request: HttpRequest, actor: Actor) -> Form:
    """Save the profile and the logo together, or neither."""
    values = typed(request.POST, *_PROFILE)
    try:
        with transaction.atomic():
            services.update_tenant(actor, actor.tenant, if_version=version_of(request.POST), **values)
            if file := request.FILES.get("logo"):
                services.set_logo(actor, actor.tenant, file.read(services.MAX_LOGO_BYTES + 1))
            elif "remove_logo" in request.POST:
                services.remove_logo(actor, actor.tenant)
    except ValidationFailed as error:
        return Form(values, error.fields)
    except TooLarge as error:
        return Form(values, {"logo": [error.message]})
    except Conflict as error:
        return Form(values, {"name": [error.message]})
    return Form(values)


@require_GET
def logo(request: HttpRequest, tenant: str) -> HttpResponse:
    """Return the team's picture, as what its bytes were found to be and nothing else."""
    found = selectors.logo_of(actor_of(request, tenant).tenant)
    if found is None:
        raise NotFound("logo")
    media_type, digest, content = found
    answer = HttpResponse(content, content_type=media_type)
    answer["Content-Disposition"] = f'inline; filename="logo.{media_type.partition("/")[2]}"'
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["ETag"] = f'"{digest}"'
    answer["Cache-Control"] = "private, max-age=300"
    return answer


@require_GET
def capabilities(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    rows = [
        (str(c), CAPABILITY_NAMES[c].capitalize(), CAPABILITY_MEANINGS[c], c in actor.capabilities) for c in Capability
    ]
    page = settings_page(
        actor, "capabilities", form=Form(), rows=rows, may_ask=_may_change(actor),
        support=env.get().support_address,
        owners=selectors.owners_of(actor.tenant),
    )  # fmt: skip
    return show.page(request, "tenant_settings_capabilities.html", page)


@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, tenant: str, capability: str) -> HttpResponse:
    """Say whom the request goes to, and send it when that page is sent."""
    actor = actor_of(request, tenant)
    if capability not in set(Capability):
        raise NotFound("capability")
    authorize(policies.may_change_tenant(actor, actor.tenant))
    wanted, form, status = Capability(capability), Form(typed(request.POST, "message")), 200
    if request.method == "POST":
        try:
            services.request_capability(actor, wanted, message=form.value("message"))
            messages.success(request, "The administrators are told. You will hear when it is switched on.")
            return redirect(f"/t/{tenant}/settings/capabilities")
        except ValidationFailed as error:
            form, status = Form(form.values, error.fields), 422
        except (Conflict, RateLimited) as error:
            form = Form(form.values, {"message": [error.message]})
            status = 429 if isinstance(error, RateLimited) else 409
    page = settings_page(
        actor, "capabilities", form=form, capability=capability, name=CAPABILITY_NAMES[wanted],
        meaning=CAPABILITY_MEANINGS[wanted],
    )  # fmt: skip
    return show.page(request, "tenant_capability_ask.html", page, status=status)


@dataclasses.dataclass(frozen=True)
class Consequences:
    """What goes with a team, counted now."""

    projects: int
    builds: int
    images: int
    members: int


def is_deleting(state: str) -> bool:
    return state == TenantState.DELETING
