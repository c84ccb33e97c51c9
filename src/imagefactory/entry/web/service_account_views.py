"""Service accounts of a team, and their keys."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.errors import KeyNotFound
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import KeyView, ServiceAccountView
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import key_forms as forms
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.navigation import settings_page
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import ValidationFailed

ROLES = (("member", "Member: builds and pushes"), ("viewer", "Viewer: pulls and reads"),
         ("admin", "Admin: settings and team too"), ("", "Single permissions, chosen below"))  # fmt: skip
_FIELDS = ("name", "contact_email", "description", "role")


def _address(tenant: str, account_id: uuid.UUID | None = None) -> str:
    base = f"/t/{tenant}/settings/service-accounts"
    return f"{base}/{account_id}" if account_id else base


def _manages_some(request: HttpRequest, tenant: str) -> Actor:
    """Return the actor, who manages the team of at least one project.

    Raises PermissionDenied.
    """
    actor = actor_of(request, tenant)
    if not actor.may_anywhere(Permission.TEAM_MANAGE):
        authorize(policies.may(actor, Permission.TEAM_MANAGE))
    return actor


@require_GET
def accounts(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = _manages_some(request, tenant)
    found = selectors.service_accounts(actor)
    names = forms.project_names(actor, (p for a in found for p in a.project_ids or ()))
    page = {
        **settings_page(actor, "service-accounts"), "form": Form(),
        "rows": [(a, forms.where(a.project_ids, names)) for a in found],
        "review": [a for a in found if a.needs_review],
    }  # fmt: skip
    return show.page(request, "service_accounts.html", page)


def _fields(request: HttpRequest, actor: Actor, form: Form) -> services.AccountFields:
    role = form.value("role")
    return services.AccountFields(
        form.value("name"), form.value("contact_email"), form.value("description"), role,
        [] if role else request.POST.getlist("scopes")[:100], forms.wanted_projects(actor, request.POST),
    )  # fmt: skip


def _form_page(request: HttpRequest, actor: Actor, form: Form, account: ServiceAccountView | None) -> HttpResponse:
    held = {p for p in map(str, Permission) if actor.may_anywhere(p)}
    mine = actor.projects_with(Permission.TEAM_MANAGE)
    page: dict[str, Any] = {
        **settings_page(actor, "service-accounts"), "form": form, "account": account, "roles": ROLES,
        "whole_team": actor.may(Permission.TEAM_MANAGE),
        "choices": forms.choices(
            actor, request.POST if request.method == "POST" else None, permissions=held, projects=mine,
            chosen=account.permissions if account and not account.role else (),
            chosen_projects=account.project_ids if account else None if mine is None else (),
        ),
    }  # fmt: skip
    return show.page(request, "service_account_form.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def new_account(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = _manages_some(request, tenant)
    form = Form({"role": "member", "contact_email": actor.email})
    if request.method == "POST":
        form = Form(typed(request.POST, *_FIELDS))
        try:
            made = services.create_service_account(actor, _fields(request, actor, form))
            messages.success(request, f"The service account {made.name} is there. Make its first key below.")
            return redirect(_address(tenant, made.id))
        except ValidationFailed as error:
            form = _with_errors(form, error)
    return _form_page(request, actor, form, None)


@require_http_methods(["GET", "POST"])
def edit_account(request: HttpRequest, tenant: str, account_id: uuid.UUID) -> HttpResponse:
    actor = actor_of(request, tenant)
    account = selectors.service_account(actor, account_id)
    form = Form({name: str(getattr(account, name)) for name in _FIELDS})
    if request.method == "POST":
        form = Form(typed(request.POST, *_FIELDS))
        try:
            services.update_service_account(actor, account_id, _fields(request, actor, form))
            messages.success(request, "The service account is saved. Its keys follow from the next request on.")
            return redirect(_address(tenant, account_id))
        except ValidationFailed as error:
            form = _with_errors(form, error)
    return _form_page(request, actor, form, account)


def _with_errors(form: Form, error: ValidationFailed) -> Form:
    """Return the form with its errors, named as the page names its fields."""
    names = {"permissions": "scopes", "project_ids": "projects"}
    return Form(form.values, {names.get(name, name): sentences for name, sentences in error.fields.items()})


def _account_page(
    request: HttpRequest, actor: Actor, account: ServiceAccountView, form: Form, made: str = ""
) -> HttpResponse:
    keys = selectors.keys_of_account(actor, account.id)
    names = forms.project_names(actor, account.project_ids or ())
    page: dict[str, Any] = {
        **settings_page(actor, "service-accounts"), "form": form, "account": account, "made": made,
        "host": env.get().host, "url": env.get().public_url, "rows": forms.key_rows(actor, keys),
        "where": forms.where(account.project_ids, names), "days_max_text": str(selectors.key_days_max(actor.tenant)),
        "choices": forms.choices(
            actor, request.POST if form.errors else None, permissions=account.permissions, projects=account.project_ids
        ),
    }  # fmt: skip
    return show.page(request, "service_account.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def account(request: HttpRequest, tenant: str, account_id: uuid.UUID) -> HttpResponse:
    """Show an account with its keys; the form makes one more key."""
    actor, made = actor_of(request, tenant), ""
    found = selectors.service_account(actor, account_id)
    form = Form({"days": str(min(90, selectors.key_days_max(actor.tenant)))})
    if request.method == "POST":
        form = Form(typed(request.POST, "name", "note", "days"))
        try:
            _, made = services.create_account_key(
                actor, account_id, name=form.value("name"), note=form.value("note"),
                days=forms.number(form.value("days")), scopes=forms.wanted_scopes(request.POST),
                project_ids=forms.wanted_projects(actor, request.POST),
            )  # fmt: skip
            form = Form({"days": form.value("days")})
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    return _account_page(request, actor, found, form, made)


@require_POST
def switch_account(request: HttpRequest, tenant: str, account_id: uuid.UUID) -> HttpResponse:
    """Switch the account off or on, or answer for it from now on."""
    actor = actor_of(request, tenant)
    if request.POST.get("take_over"):
        services.take_over_service_account(actor, account_id)
        messages.success(request, "You answer for this service account from now on.")
    else:
        on = request.POST.get("on") == "1"
        services.switch_service_account(actor, account_id, on=on)
        said = "works again" if on else "is switched off, and none of its keys works"
        messages.success(request, f"The service account {said}.")
    return redirect(_address(tenant, account_id))


@require_http_methods(["GET", "POST"])
def delete_account(request: HttpRequest, tenant: str, account_id: uuid.UUID) -> HttpResponse:
    actor = actor_of(request, tenant)
    found = selectors.service_account(actor, account_id)
    if request.method == "GET":
        page = {**settings_page(actor, "service-accounts"), "form": Form(), "account": found}
        return show.page(request, "service_account_delete.html", page)
    services.delete_service_account(actor, account_id)
    messages.success(request, f"The service account {found.name} is deleted. None of its keys works any more.")
    return redirect(_address(tenant))


def _key(actor: Actor, account_id: uuid.UUID, key_id: uuid.UUID) -> tuple[ServiceAccountView, KeyView]:
    found = selectors.service_account(actor, account_id)
    key = next((k for k in selectors.keys_of_account(actor, found.id) if k.id == key_id), None)
    if key is None:
        raise KeyNotFound
    return found, key


@require_http_methods(["GET", "POST"])
def rotate_key(request: HttpRequest, tenant: str, account_id: uuid.UUID, account_key_id: uuid.UUID) -> HttpResponse:
    """Ask how long the old key is to work on, and show the new one when that is sent."""
    actor = actor_of(request, tenant)
    (found, key), form = _key(actor, account_id, account_key_id), Form({"overlap_hours": "24"})
    if request.method == "POST":
        form = Form(typed(request.POST, "overlap_hours"))
        try:
            hours = forms.number(form.value("overlap_hours"))
            _, made = services.rotate_key(actor, key.id, overlap_hours=hours)
            return _account_page(request, actor, found, Form({"days": "90"}), made)
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {
        **settings_page(actor, "service-accounts"), "form": form, "account": found, "key": key,
        "overlaps": forms.OVERLAPS, "account_url": _address(tenant, account_id),
    }  # fmt: skip
    return show.page(request, "service_account_key_rotate.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def revoke_key(request: HttpRequest, tenant: str, account_id: uuid.UUID, account_key_id: uuid.UUID) -> HttpResponse:
    actor = actor_of(request, tenant)
    found, key = _key(actor, account_id, account_key_id)
    if request.method == "GET":
        page = {**settings_page(actor, "service-accounts"), "form": Form(), "account": found, "key": key}
        return show.page(request, "service_account_key_revoke.html", page)
    services.revoke_api_key(actor, key.id)
    messages.success(request, f"The key {key.name} is revoked. It stopped working at once.")
    return redirect(_address(tenant, account_id))
