"""What one was told: the list, marking as read and undoing it, the badge of the header, and the settings of e-mail."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import uuid
from collections.abc import Sequence
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.notifications import selectors, services
from imagefactory.domain.notifications.selectors import NoticeView
from imagefactory.domain.notifications.states import Group
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form
from imagefactory.entry.web.persons import person_in_tenant
from imagefactory.entry.web.redirects import own_address
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import UTC, now
from imagefactory.kernel.errors import ValidationFailed

GROUPS = (
    (Group.BUILDS, "Builds", "A build that you started has failed."),
    (Group.TEAM, "Team", "Your roles, requests for access, and changes of your teams."),
    (
        Group.SECURITY,
        "Security of your account",
        "Cannot be switched off: these e-mails tell you when someone else uses your account.",
    ),
)
MAX_IDS = 200


@dataclasses.dataclass(frozen=True)
class Day:
    """The notices of one day, newest first."""

    name: str
    notices: Sequence[NoticeView]


def tenant_ids(actor: Actor) -> list[uuid.UUID]:
    """Return the tenants whose notices this person may read."""
    return [t.id for t in identity.tenants_told_to(actor)]


def _days(notices: Sequence[NoticeView]) -> list[Day]:
    today = timezone.localtime(now()).date()

    def name(day: dt.date) -> str:
        if day == today:
            return "Today"
        return "Yesterday" if day == today - dt.timedelta(days=1) else f"{day:%A, %-d %B %Y}"

    by_day = itertools.groupby(notices, lambda n: timezone.localtime(n.created_at).date())
    return [Day(name(day), list(found)) for day, found in by_day]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _address(request: HttpRequest, actor: Actor, **more: str) -> str:
    given = {"tenant": actor.tenant_slug, "show": request.GET.get("show") or request.POST.get("show", ""), **more}
    query = urlencode({k: v for k, v in given.items() if v and (k != "show" or v == "unread")})
    return f"/notifications?{query}" if query else "/notifications"


@require_GET
def notifications(request: HttpRequest) -> HttpResponse:
    actor = person_in_tenant(request)
    tenants, unread = tenant_ids(actor), request.GET.get("show") == "unread"
    found, older = selectors.list_notices(actor, tenants, unread=unread, before=_uuid(request.GET.get("before", "")))
    undone = _moment(request.GET.get("undo", ""))
    page = {
        "days": _days(found), "unread_only": unread, "unread": selectors.unread_count(actor, tenants),
        "cap": selectors.COUNT_CAP, "here": request.get_full_path(), "tenant": actor.tenant_slug,
        "all_url": _address(request, actor, show=""), "unread_url": _address(request, actor, show="unread"),
        "older_url": _address(request, actor, before=str(older)) if older else "",
        "undo": request.GET.get("undo", "") if undone else "",
        "undo_count": selectors.count_read_at(actor, tenants, undone) if undone else 0,
        "newest": not request.GET.get("before"),
    }  # fmt: skip
    blocks = {"notifications": "blocks/notifications.html"}
    return show.page(request, "notifications.html", page, blocks=blocks)


@require_GET
def badge(request: HttpRequest) -> HttpResponse:
    """Return the badge alone, fetched when the stream says that the notices changed."""
    person_in_tenant(request)
    return show.page(request, "blocks/badge.html", {})


@require_GET
def open_notice(request: HttpRequest, notice_id: uuid.UUID) -> HttpResponse:
    """Mark a notice as read and go to what it is about. It can be undone, and a link must work for a plain click."""
    actor = person_in_tenant(request)
    path = services.open_notice(actor, tenant_ids(actor), notice_id)
    return redirect(own_address(path, "/notifications"))


def _moment(text: str) -> dt.datetime | None:
    """Return the moment of a marking from its address: whole microseconds."""
    if not text.isascii() or not text.isdecimal() or len(text) > 16:
        return None
    return dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(microseconds=int(text))


def _ids(request: HttpRequest) -> list[uuid.UUID]:
    return [found for text in request.POST.getlist("id")[:MAX_IDS] if (found := _uuid(text))]


@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Mark one notice or all as read; the page that follows offers to undo it."""
    actor = person_in_tenant(request)
    moment = services.mark_read(actor, tenant_ids(actor), None if "all" in request.POST else _ids(request))
    since = moment - dt.datetime(1970, 1, 1, tzinfo=UTC)
    return redirect(_address(request, actor, undo=str(since // dt.timedelta(microseconds=1))))


@require_POST
def unread(request: HttpRequest) -> HttpResponse:
    """Mark one notice as unread, or those that were marked together."""
    actor = person_in_tenant(request)
    services.mark_unread(actor, tenant_ids(actor), ids=_ids(request), read_at=_moment(request.POST.get("undo", "")))
    return redirect(_address(request, actor))


@require_http_methods(["GET", "POST"])
def email_settings(request: HttpRequest) -> HttpResponse:
    """Show and save which groups of messages come by e-mail too."""
    actor, form = person_in_tenant(request), Form()
    if request.method == "POST":
        wanted = {str(g): str(g) in request.POST.getlist("email") for g, _, _ in GROUPS if g is not Group.SECURITY}
        try:
            services.set_email_groups(actor, wanted)
            messages.success(request, "What you get by e-mail is saved.")
            return redirect(request.get_full_path())
        except ValidationFailed as error:
            form = Form({}, error.fields)
    on = selectors.email_groups(actor)
    page = {
        "form": form, "section": "notifications", "email": actor.email, "configured": selectors.mail_configured(),
        "groups": [(g, name, text, on[g], g is Group.SECURITY) for g, name, text in GROUPS],
    }  # fmt: skip
    return show.page(request, "me_notifications.html", page, status=form.status)
