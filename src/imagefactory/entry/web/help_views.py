"""Help: how things work here, what each role may do, what each status means. The tables are made from the code's own."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.identity.permissions import ROLE_PERMISSIONS, Role
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import show
from imagefactory.entry.web.rights import LABELS
from imagefactory.kernel import env
from imagefactory.kernel.errors import FactoryError
from imagefactory.methods.registry import METHODS

TOPICS = (
    ("start", "First image"), ("registry", "Push and pull"), ("statuses", "Statuses"), ("roles", "Roles and rights"),
    ("keys", "Keyboard"), ("api", "API and command line"),
)  # fmt: skip
MEANINGS = {
    BuildStatus.DRAFT: "Stored and not asked to run yet.",
    BuildStatus.QUEUED: "Waits for a place on a worker; the page says how many are ahead and what it waits for.",
    BuildStatus.RUNNING: "A worker runs its stages: fetch, lint, build, publish.",
    BuildStatus.SUCCEEDED: "The image is in the registry, under its tags and its digest.",
    BuildStatus.FAILED: "A stage failed; the page says which, why, and who can mend it. Nothing was pushed.",
    BuildStatus.CANCELLED: "Stopped by a person before its end. Nothing was pushed.",
}


@require_GET
def topic(request: HttpRequest, name: str = "start") -> HttpResponse:
    """One topic; open to everyone, and inside the frame of a tenant for those who come from one."""
    if name not in dict(TOPICS):
        raise Http404
    if request.user.is_authenticated and (tenant := request.GET.get("tenant", "")[:64]):
        try:
            actor_of(request, tenant)
        except FactoryError:
            tenant = ""  # help is for all: a wrong tenant in the address is no reason to refuse it
    else:
        tenant = ""
    page = {
        "topic": name, "topic_name": dict(TOPICS)[name], "topics": [(k, t, "/help" if k == "start" else f"/help/{k}") for k, t in TOPICS], "tenant": tenant, "suffix": f"?tenant={tenant}" if tenant else "",
        "roles": [r.capitalize() for r in Role],
        "matrix": [(label, str(p), [p in ROLE_PERMISSIONS[r] for r in Role]) for p, label in LABELS.items()],
        "statuses": [(str(s), MEANINGS[s]) for s in BuildStatus], "host": env.get().host, "url": env.get().public_url,
        "methods": sorted(METHODS), "lease_seconds": env.get().lease_seconds, "tls": env.get().public_url.startswith("https://"),
    }  # fmt: skip
    return show.page(request, "help.html", page)
