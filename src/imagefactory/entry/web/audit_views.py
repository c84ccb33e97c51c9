"""Activity of a team or project, and the audit trail of the installation: the list, its filters, its export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_GET

from imagefactory.domain.audit import selectors
from imagefactory.domain.audit.selectors import EntryView, Scope
from imagefactory.domain.audit.services.export import TYPES, export_entries
from imagefactory.domain.audit.services.trim import months
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.http.audit import export_answer
from imagefactory.entry.web import audit_filter, audit_rows, show
from imagefactory.entry.web.admin_views import administrator_of
from imagefactory.entry.web.live import listen_to
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor

PAGE: Final = 50
VIEWS: Final = (
    ("All", ""), ("Mine", "user:me"), ("Refused", "result:refused"), ("Failed", "result:failed"),
    ("Builds", "action:build."), ("Projects", "action:project."), ("People", "action:member."),
)  # fmt: skip
Rows = Callable[[Sequence[EntryView]], list[audit_rows.AuditRow]]


def _asked(request: HttpRequest) -> str:
    given = {k: request.GET[k] for k in ("since", "until", "project") if k in request.GET}
    return audit_filter.with_days(request.GET.get("q", ""), given)


def _page(request: HttpRequest, scope: Scope, query: audit_filter.Query, rows: Rows, base: str) -> dict[str, object]:
    """Return what both pages show."""
    before, after = request.GET.get("before", "")[:64], request.GET.get("after", "")[:64]
    found = selectors.list_entries(scope, query.wanted, before=before, after=after, limit=PAGE)
    total = selectors.total(scope, query.wanted, found)
    days = env.get().audit_days
    return {
        "rows": rows(found.items), "query": query, "base": base, "before": before or after,
        "views": [(name, text, text == query.text) for name, text in VIEWS],
        "total": f"about {total.count:,}" if total.estimate else f"{total.count:,}",
        "older": query.address(before=found.older) if found.older else "",
        "newer": query.address(after=found.newer) if found.newer else "",
        "newest": query.address(), "here": request.get_full_path(), "since": query.days[0], "until": query.days[1],
        "exports": [(form.upper(), f"{base}/export{query.address(format=form)}") for form in TYPES],
        "kept": f"{days:,} days" if days else "",
    }  # fmt: skip


@require_GET
def activity(request: HttpRequest, tenant: str) -> HttpResponse:
    """Show what happened in the team, or in those of its projects that the person may audit."""
    actor = actor_of(request, tenant)
    scope = selectors.tenant_scope(actor)
    live = {"live_on": listen_to(f"tenant:{actor.tenant}")}
    query = audit_filter.read(actor, _asked(request))
    base = f"/t/{actor.tenant_slug}/activity"
    page = live | _page(request, scope, query, lambda found: audit_rows.rows(actor, found), base)
    return show.page(request, "activity.html", page, blocks={"rows": "blocks/audit_rows.html"})


@require_GET
def export_activity(request: HttpRequest, tenant: str) -> HttpResponseBase:
    actor = actor_of(request, tenant)
    scope = selectors.tenant_scope(actor)
    return _export(request, actor, scope, audit_filter.read(actor, _asked(request)), f"activity-{actor.tenant_slug}")


def _export(request: HttpRequest, actor: Actor, scope: Scope, query: audit_filter.Query, name: str) -> HttpResponseBase:
    form = request.GET.get("format", "csv")[:10]
    rows, pieces = export_entries(actor, scope, query.wanted, form)
    return export_answer(rows, pieces, TYPES[form], f"{name}.{form}")


@require_GET
def installation(request: HttpRequest) -> HttpResponse:
    """Show what happened in all tenants and outside them, to system administrators."""
    actor = administrator_of(request)
    scope = selectors.installation_scope(actor)
    query = audit_filter.read(actor, _asked(request), everywhere=True)
    page = _page(request, scope, query, audit_rows.all_rows, "/admin/audit")
    oldest = next((f"{start:%B %Y}" for _, start, _ in months()), "")
    return show.page(
        request,
        "admin_audit.html",
        page | {"oldest": oldest, "everywhere": True},
        blocks={"rows": "blocks/audit_rows.html"},
    )


@require_GET
def export_installation(request: HttpRequest) -> HttpResponseBase:
    actor = administrator_of(request)
    scope = selectors.installation_scope(actor)
    return _export(request, actor, scope, audit_filter.read(actor, _asked(request), everywhere=True), "audit")
