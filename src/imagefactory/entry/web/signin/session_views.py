"""One's own sign-ins, ending them, and their history."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import SessionNotFound
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form
from imagefactory.entry.web.signin import words
from imagefactory.entry.web.signin.me import back, own_actor
from imagefactory.kernel import env


@require_GET
def sessions(request: HttpRequest) -> HttpResponse:
    actor = own_actor(request)
    found = selectors.sessions_of(actor)
    page = {
        "section": "sessions", "form": Form(), "rows": [(s, words.ways(s.how), words.KINDS[s.kind]) for s in found],
        "others": sum(not s.current for s in found), "idle": env.get().session_idle_hours, "days": env.get().session_days,
    }  # fmt: skip
    return show.page(request, "me_sessions.html", page)


@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Say which sign-in ends, and end it when that page is sent."""
    actor = own_actor(request)
    if request.method == "POST":
        services.end_session(actor, session_id)
        if session_id == actor.session_id:
            return redirect("/login")
        messages.success(request, "The sign-in has ended.")
        return back(actor, "sessions")
    found = next((s for s in selectors.sessions_of(actor) if s.id == session_id), None)
    if found is None:
        raise SessionNotFound
    page = {
        "section": "sessions",
        "form": Form(),
        "session": found,
        "short_id": session_id.hex[-8:],
        "how": words.ways(found.how),
        "kind": words.KINDS[found.kind],
    }
    return show.page(request, "me_session_end.html", page)


@require_http_methods(["GET", "POST"])
def end_others(request: HttpRequest) -> HttpResponse:
    """Say how many sign-ins end, and end them when that page is sent."""
    actor = own_actor(request)
    if request.method == "POST":
        count = services.end_other_sessions(actor)
        messages.success(request, f"{count} other sign-in{'' if count == 1 else 's'} ended.")
        return back(actor, "sessions")
    others = sum(not s.current for s in selectors.sessions_of(actor))
    return show.page(request, "me_sessions_end.html", {"section": "sessions", "form": Form(), "others": others})


@require_GET
def history(request: HttpRequest) -> HttpResponse:
    actor = own_actor(request)
    rows = [(r, words.ways(r.how), words.REASONS.get(r.reason, r.reason)) for r in selectors.sign_in_history(actor)]
    return show.page(request, "me_history.html", {"section": "sessions", "form": Form(), "rows": rows})
