"""Sign up, sign in, sign out, and the way to one's tenant."""

from __future__ import annotations

import uuid

from django.contrib.auth import get_user_model, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from imagefactory.domain.identity import selectors, services
from imagefactory.entry.http.actors import anonymous
from imagefactory.kernel.errors import RateLimited, Unauthorized, ValidationFailed

_BACKEND = "django.contrib.auth.backends.ModelBackend"


def _enter(request: HttpRequest, user_id: uuid.UUID) -> None:
    login(request, get_user_model().objects.get(pk=user_id), backend=_BACKEND)


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.get("next") or request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        wanted = "/"
    problem, status = "", 200
    if request.method == "POST":
        try:
            _enter(
                request,
                services.verify_password(
                    anonymous(request), email=request.POST.get("email", ""), password=request.POST.get("password", "")
                ),
            )
            return redirect(wanted)
        except (Unauthorized, RateLimited) as error:
            problem, status = error.message, 429 if isinstance(error, RateLimited) else 422
    page = {"next": wanted, "problem": problem, "email": request.POST.get("email", "")}
    return render(request, "login.html", page, status=status)


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    problems: list[str] = []
    given = {k: request.POST.get(k, "") for k in ("name", "email", "tenant_name")}
    if request.method == "POST":
        try:
            made = services.sign_up(anonymous(request), password=request.POST.get("password", ""), **given)
            _enter(request, made.user_id)
            return redirect(f"/t/{made.tenant_slug}/")
        except ValidationFailed as error:
            problems = [sentence for sentences in error.fields.values() for sentence in sentences]
    page = {"problems": problems, **given}
    return render(request, "signup.html", page, status=422 if problems else 200)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("/login")


def home(request: HttpRequest) -> HttpResponse:
    """Go to the tenant of last time, or show those there are."""
    if not request.user.is_authenticated:
        return redirect("/login")
    user_id = uuid.UUID(str(request.user.pk))
    tenants = selectors.tenants_of(user_id)
    slug = selectors.last_tenant_slug(user_id) or (tenants[0].slug if len(tenants) == 1 else "")
    return redirect(f"/t/{slug}/") if slug else render(request, "home.html", {"tenants": tenants})
