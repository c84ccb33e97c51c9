"""Pages that use what the scripts offer, the way the factory's own pages do."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from imagefactory.domain.builds.selectors import BuildFilter, list_builds
from imagefactory.entry import urls
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import build_rows
from imagefactory.entry.web.live import listen_to

handler404 = urls.handler404


def _kept(answer: HttpResponse) -> HttpResponse:
    """Let the browser keep the page for its back button: the scripts must stand that, whatever the pages say today."""
    answer["Cache-Control"] = "private"
    return answer


def parts(request: HttpRequest, tenant: str) -> HttpResponse:
    """Forms, rows, menus, copy buttons, times; outside the frame of a team, whose own controls would be in the way."""
    if request.method == "POST":
        messages.success(request, "It was saved.")
        return redirect(request.path)
    return _kept(render(request, "stage/parts.html", {"home": f"/stage/{tenant}"}))


def removal(request: HttpRequest, tenant: str) -> HttpResponse:
    """A page that is complete by itself and whose body a dialog shows."""
    wrong = request.method == "POST" and request.POST.get("name") != "shop"
    if request.method == "POST" and not wrong:
        messages.success(request, f"Deleted by {request.POST.get('how')}.")
        return redirect(f"/stage/{tenant}")
    return render(
        request, "stage/removal.html", {"wrong": wrong, "home": f"/stage/{tenant}"}, status=422 if wrong else 200
    )


def builds(request: HttpRequest, tenant: str) -> HttpResponse:
    """A live list of builds."""
    actor = actor_of(request, tenant)
    live = listen_to(f"tenant:{actor.tenant_id}")
    found, _ = list_builds(actor, BuildFilter())
    page = {
        "rows": build_rows.rows(actor, found),
        "live_on": live,
        "block_url": request.path,
    }
    return _kept(render(request, "stage/block.html" if request.headers.get("X-Block") else "stage/builds.html", page))


urlpatterns = [
    path("stage/<slug:tenant>", parts),
    path("stage/<slug:tenant>/delete", removal),
    path("stage/<slug:tenant>/builds", builds),
    *urls.urlpatterns,
]
