"""Sign-in providers of a team and of the installation: the list, the form, the test and the end of one."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.errors import ProviderNotFound, SecondFactorRequired
from imagefactory.domain.identity.selectors import ProviderView
from imagefactory.domain.identity.services import ProviderForm
from imagefactory.domain.identity.services.directory import NOT_INSTALLED, installed
from imagefactory.domain.identity.services.provider_settings import SECRETS, domain_errors
from imagefactory.domain.identity.states import ProviderKind
from imagefactory.entry.http import role_lines
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import show
from imagefactory.entry.web.admin_views import administrator_of
from imagefactory.entry.web.forms import Form, typed, version_of
from imagefactory.entry.web.navigation import settings_page
from imagefactory.entry.web.sign_in_settings.fields import FIELDS, GROUP_CHOICES, KINDS, texts
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, ValidationFailed

_OWN = ("name", "domains", "roles", "version")


def _place(request: HttpRequest, tenant: str | None) -> tuple[Actor, uuid.UUID | None, str]:
    """Return who asks, whose providers these are (None: the installation's), and the address of their list."""
    if tenant is None:
        return administrator_of(request), None, "/admin/sign-in"
    actor = actor_of(request, tenant)
    return actor, actor.tenant, f"/t/{tenant}/settings/sign-in"


def _page(actor: Actor, base: str, **more: Any) -> dict[str, Any]:
    shared = base.startswith("/admin")
    around = {} if shared else settings_page(actor, "sign-in")
    return {**around, "base": base, "of_installation": shared, **more}


@require_http_methods(["GET", "POST"])
def providers(request: HttpRequest, tenant: str | None = None) -> HttpResponse:
    """List the providers, and switch whether members must come through one."""
    actor, tenant_id, base = _place(request, tenant)
    form = Form()
    if request.method == "POST":
        if tenant_id is None:
            return HttpResponseNotAllowed(["GET"])  # the rule is a team's
        try:
            with transaction.atomic():  # both rules or neither
                services.require_sso(actor, required=request.POST.get("required") == "1")
                services.require_second_factor(actor, required=request.POST.get("second_factor") == "1")
            messages.success(request, "The rule for members is saved.")
            return redirect(base)
        except Conflict as error:
            form = Form({}, {"required": [error.message]})
        except SecondFactorRequired:
            form = Form({}, {"second_factor": ["You have no second factor yet. Set one up in your account first."]})
    rows = selectors.list_providers(actor, tenant_id)
    rules = selectors.MemberRules() if tenant_id is None else selectors.member_rules(actor)
    page = _page(
        actor, base, form=form, rows=[(r, KINDS[r.kind]) for r in rows], kinds=list(KINDS.items()),
        may_edit=policies.may_manage_providers(actor, tenant_id) is True,
        required=rules.sso, second_factor=rules.second_factor,
        waiting=selectors.waiting_domains(actor) if tenant_id is None else [],
    )  # fmt: skip
    return show.page(request, "sign_in_providers.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, kind: str, tenant: str | None = None) -> HttpResponse:
    """Make a provider."""
    actor, tenant_id, base = _place(request, tenant)
    authorize(policies.may_manage_providers(actor, tenant_id))
    if kind not in KINDS:
        raise ProviderNotFound
    form = Form({**texts(kind, {}), "enabled": "1"})
    if request.method == "POST":
        form, given = _read(request, actor, tenant_id, kind)
        if given is not None:
            try:
                made = services.create_provider(actor, kind, given, of_installation=tenant_id is None)
                messages.success(request, f"{given.name} is set up. Test it before you tell anyone.")
                return redirect(f"{base}/{made}")
            except (ValidationFailed, Conflict) as error:
                form = refused(form, error)
    return _form_page(request, actor, base, kind, form, None)


@require_http_methods(["GET", "POST"])
def provider(request: HttpRequest, provider_id: uuid.UUID, tenant: str | None = None) -> HttpResponse:
    """Show and change a provider."""
    actor, tenant_id, base = _place(request, tenant)
    found = _found(actor, tenant_id, provider_id)
    form = Form({
        **texts(found.kind, found.configuration), "name": found.name, "domains": "\n".join(found.domains),
        "roles": role_lines.written(found.roles, of_installation=tenant_id is None),
        "enabled": "1" if found.enabled else "", "creates_people": "1" if found.creates_people else "",
    })  # fmt: skip
    if request.method == "POST":
        authorize(policies.may_manage_providers(actor, tenant_id))
        form, given = _read(request, actor, tenant_id, found.kind)
        if given is not None:
            try:
                services.update_provider(actor, found.id, given, if_version=version_of(request.POST))
                messages.success(request, f"{given.name} is saved.")
                return redirect(f"{base}/{found.id}")
            except (ValidationFailed, Conflict) as error:
                form = refused(form, error)
    may_edit = policies.may_manage_providers(actor, tenant_id) is True
    return _form_page(request, actor, base, found.kind, form, found, may_edit=may_edit)


def _found(actor: Actor, tenant_id: uuid.UUID | None, provider_id: uuid.UUID) -> ProviderView:
    found = selectors.get_provider(actor, provider_id)
    if found.tenant_id != tenant_id:
        raise ProviderNotFound
    return found


def refused(form: Form, error: ValidationFailed | Conflict) -> Form:
    """Return the form with what is wrong, as the page shows it again."""
    return Form(form.values, error.fields if isinstance(error, ValidationFailed) else {"name": [error.message]})


def _read(
    request: HttpRequest, actor: Actor, tenant_id: uuid.UUID | None, kind: str
) -> tuple[Form, ProviderForm | None]:
    names = [f.name for f in FIELDS[kind]]
    values = typed(request.POST, *names, *_OWN, "enabled", "creates_people")
    domains = values["domains"].replace(",", "\n").split()
    try:
        roles = role_lines.parse(actor, tenant_id, values["roles"])
    except ValidationFailed as error:
        wrong = dict(error.fields) | ({"domains": about} if (about := domain_errors(domains)) else {})
        return Form(values, wrong), None
    return Form(values), ProviderForm(
        name=values["name"], configuration={n: values[n] for n in names}, domains=domains, roles=roles,
        creates_people=bool(values["creates_people"]), enabled=bool(values["enabled"]),
        secret=request.POST.get("secret", "")[:5000] or None,
    )  # fmt: skip


def _form_page(
    request: HttpRequest,
    actor: Actor,
    base: str,
    kind: str,
    form: Form,
    found: ProviderView | None,
    *,
    may_edit: bool = True,
) -> HttpResponse:
    fields = [(f, bool(form.value(f.name))) for f in FIELDS[kind]]
    page = _page(
        actor, base, form=form, kind=kind, kind_name=KINDS[kind], fields=fields, provider=found, may_edit=may_edit,
        group_choices=GROUP_CHOICES, secret_name=SECRETS.get(kind, ""), enabled=bool(form.value("enabled")),
        creates_people=bool(form.value("creates_people")), addresses=_addresses(kind, found),
        missing=NOT_INSTALLED if kind == ProviderKind.LDAP and not installed() else "",
    )  # fmt: skip
    return show.page(request, "sign_in_provider.html", page, status=form.status)


def _addresses(kind: str, found: ProviderView | None) -> list[tuple[str, str]]:
    """Return what must be entered at the provider."""
    if found is None or kind == ProviderKind.LDAP:
        return []
    base = f"{env.get().public_url}/sso/{found.id}"
    if kind == ProviderKind.OIDC:
        return [("Redirect address", f"{base}/callback")]
    return [("Metadata and entity id", f"{base}/metadata"), ("Assertion consumer service (POST)", f"{base}/acs")]


@require_POST
def try_out(request: HttpRequest, provider_id: uuid.UUID, tenant: str | None = None) -> HttpResponse:
    """Try a provider and show each step with its result."""
    actor, tenant_id, base = _place(request, tenant)
    found = _found(actor, tenant_id, provider_id)
    page = _page(actor, base, provider=found, checks=services.check_provider(actor, found.id), form=Form())
    return show.page(request, "sign_in_test.html", page)


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, provider_id: uuid.UUID, tenant: str | None = None) -> HttpResponse:
    """Say what the deletion would do, and do it when that page is sent."""
    actor, tenant_id, base = _place(request, tenant)
    found = _found(actor, tenant_id, provider_id)
    authorize(policies.may_manage_providers(actor, tenant_id))
    if request.method == "GET":
        return show.page(request, "sign_in_delete.html", _page(actor, base, provider=found, form=Form()))
    services.delete_provider(actor, found.id)
    messages.success(request, f"{found.name} is deleted. Whoever came through it is signed out.")
    return redirect(base)


@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, provider_id: uuid.UUID) -> HttpResponse:
    """Say what it means that a team owns its domains, and confirm it when that page is sent."""
    actor = administrator_of(request)
    authorize(policies.may_manage_providers(actor, None))
    row = next(((r, team) for r, team in selectors.waiting_domains(actor) if r.id == provider_id), None)
    if request.method == "GET":
        if row is None:
            raise ProviderNotFound
        page = _page(actor, "/admin/sign-in", provider=row[0], team=row[1], form=Form())
        return show.page(request, "sign_in_confirm.html", page)
    services.confirm_domains(actor, provider_id)
    messages.success(request, "The domains are confirmed: addresses in them lead to the team's sign-in.")
    return redirect("/admin/sign-in")
