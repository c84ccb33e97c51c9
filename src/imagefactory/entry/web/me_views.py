"""One's own account: profile, password, appearance."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.signin import door
from imagefactory.entry.web.signin.me import back, own_actor
from imagefactory.kernel.errors import ValidationFailed


@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    actor = own_actor(request)
    me = selectors.person(actor.person)
    form = Form({"name": me.name, "time_zone": me.time_zone} if me else {})
    if request.method == "POST":
        form = Form(typed(request.POST, "name", "time_zone"))
        try:
            services.update_profile(actor, name=form.value("name"), time_zone=form.value("time_zone"))
            messages.success(request, "Your profile is saved.")
            return back(actor, "profile")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {"form": form, "section": "profile", "zones": selectors.time_zones(), "email": actor.email}
    return show.page(request, "me_profile.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    actor, form = own_actor(request), Form()
    if request.method == "POST":
        try:
            services.change_password(
                actor, old=request.POST.get("old_password", ""), new=request.POST.get("new_password", "")
            )
            door.keep_after_new_password(request)
            messages.success(request, "Your password is changed. All other sessions and API sign-ins have ended.")
            return back(actor, "password")
        except ValidationFailed as error:
            form = Form({}, error.fields)
    return show.page(request, "me_password.html", {"form": form, "section": "password"}, status=form.status)


@require_http_methods(["GET"])
def appearance(request: HttpRequest) -> HttpResponse:
    own_actor(request)
    page = {
        "section": "appearance", "form": Form(),
        "themes": [("system", "As the system"), ("light", "Light"), ("dark", "Dark")],
        "densities": [("compact", "Compact"), ("comfortable", "Comfortable")],
        "key_choices": [("on", "On"), ("off", "Off")],
    }  # fmt: skip
    return show.page(request, "me_appearance.html", page)
