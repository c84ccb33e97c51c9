"""How every sign-in through a provider ends: with a session that remembers the way it came, or with a sentence."""

from __future__ import annotations

import logging
import uuid
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from imagefactory.domain.identity import services
from imagefactory.domain.identity.errors import ProviderRefused
from imagefactory.domain.identity.selectors import ProviderConnection
from imagefactory.domain.identity.services.assertions import Assertion
from imagefactory.entry.http.actors import actor_of, anonymous
from imagefactory.entry.web import invited
from imagefactory.entry.web.redirects import own_address
from imagefactory.entry.web.signin import door
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import FactoryError, RateLimited

log = logging.getLogger("imagefactory.sso")

ORIGIN: Final = "sso"  # the key in a browser's session: through which link it came
LINK: Final = "sso_link"  # that the person confirmed with their password to link a provider, and when
LINK_SECONDS = 600


def finish(
    request: HttpRequest, found: ProviderConnection, said: Assertion, *, process: str, wanted: str
) -> HttpResponse:
    """Return where the person goes now: linked, signed in, or to the page that says why not."""
    try:
        if process == "connect":
            return _link(request, found, said)
        # A team's own provider opens that team and no account, and an invitation is accepted with an account.
        proven = "" if found.tenant_id else invited.proven_address(request)
        accepted = services.accept_assertion(anonymous(request), found.id, said, proven_address=proven)
    except (ProviderRefused, RateLimited) as error:
        return refused(request, error)
    if request.user.is_authenticated:
        door.leave(request)
    fallback = f"/t/{found.tenant_slug}/" if found.tenant_slug else "/"
    origin = {
        "identity": str(accepted.identity_id), "provider": str(found.id), "opened": now().isoformat(),
        "of_team": found.tenant_slug if found.tenant_id else "",
        "bound": found.tenant_slug if found.tenant_id and not services.is_confirmed(accepted.identity_id) else "",
    }  # fmt: skip
    return door.enter(
        request, accepted.user_id, how=f"{found.kind}: {found.name}"[:70], wanted=own_address(wanted, fallback) if wanted else fallback,
        origin=origin,
    )  # fmt: skip


def _link(request: HttpRequest, found: ProviderConnection, said: Assertion) -> HttpResponse:
    pending = request.session.pop(LINK, None) or {}
    fresh = pending.get("provider") == str(found.id) and now().timestamp() - float(pending.get("at", 0)) < LINK_SECONDS
    if not request.user.is_authenticated or not fresh:
        return refused(
            request, ProviderRefused("link", "Linking took too long, or began elsewhere. Start again in your account.")
        )
    services.link_identity(actor_of(request), found.id, said)
    messages.success(request, f"{found.name} is linked: you can sign in through it from now on.")
    return redirect("/me/links")


def remember_link(request: HttpRequest, provider_id: uuid.UUID) -> None:
    """Remember for ten minutes that the person confirmed with their password to link this provider."""
    request.session[LINK] = {"provider": str(provider_id), "at": now().timestamp()}


def refused(request: HttpRequest, error: FactoryError) -> HttpResponse:
    """Answer with the reason and the way back to the sign-in page."""
    from imagefactory.entry.http.failures import status_of

    page: dict[str, Any] = {"message": error.message, "code": error.details.get("reason", error.code)}
    return render(request, "sso_refused.html", page, status=status_of(error))


def note(request: HttpRequest, found: ProviderConnection, reason: str) -> None:
    """Write into the log and the record why a response was not believed; the person is told less."""
    log.warning("provider %s: response refused: %s", found.id, reason[:300])
    services.record_refusal(anonymous(request), found.id, "response", reason[:300])


_CANCELLED = "You cancelled the sign-in at the provider. Try again, or use another way."
_FAILED = (
    "The provider's answer could not be accepted: it is too old, was used before, or did not begin here. Sign in again."
)


def failed(request: HttpRequest, code: str, exception: Exception | None = None) -> HttpResponse:
    """Answer when the exchange with the provider itself failed."""
    if code == "cancelled":
        return refused(request, ProviderRefused("cancelled", _CANCELLED))
    cause = getattr(exception, "told", "")
    return refused(request, ProviderRefused("exchange", str(cause) or _FAILED))
