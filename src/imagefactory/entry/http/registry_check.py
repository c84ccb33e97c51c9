"""Asked by the front door before each request to the registry: may whoever holds this token still do this there?

The registry believes a token until it runs out. This looks at the key, the person and their role as they are now, so that
what was taken away is refused with the next request. The front door sends no body along, however large an upload is.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from imagefactory.adapters.registries.tokens import SERVICE, SYSTEM_HOLDER, Access
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.images.selectors import may_read, may_write
from imagefactory.entry.http.actors import known_address
from imagefactory.entry.http.registry import issuer
from imagefactory.kernel import env, scope
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import Refusal
from imagefactory.kernel.errors import FactoryError, TenantRequired, Unauthorized

# The registry's own order of routes (distribution 2.8, "registry/api/v2"), so that both read the same name.
_ROUTES: Final = tuple(
    re.compile(rf"/v2/([a-z0-9][a-z0-9._/-]{{0,254}})/{rest}")
    for rest in (r"manifests/[\w.:+-]{1,200}", "tags/list", r"blobs/[a-z0-9+._-]{1,32}:[0-9a-fA-F]{32,128}",
                 r"blobs/uploads/?", r"blobs/uploads/[\w=-]{1,512}")
)  # fmt: skip
_READS: Final = frozenset({"GET", "HEAD"})


@csrf_exempt
def registry_check(request: HttpRequest) -> HttpResponse:
    """Answer 204 to let a request through, and else what the registry's client is to be told."""
    method = request.headers.get("X-Forwarded-Method", "")
    asked = urlsplit(request.headers.get("X-Forwarded-Uri", "")[:8000])
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return HttpResponse(status=204)  # the registry itself says where to get a token
    path = unquote(asked.path)
    repository = next((m[1] for route in _ROUTES if (m := route.fullmatch(path))), "")
    if not repository and path not in {"/v2", "/v2/"}:
        return _answer(404, "NAME_UNKNOWN", "There is nothing at this address of the registry.")
    needs = [Access("repository", repository, _actions(method))] if repository else []
    if source := parse_qs(asked.query).get("from", [""])[0][:255]:
        needs.append(Access("repository", source, ("pull",)))
    held = issuer().read_token(token.strip()[:8000]) if scheme.lower() == "bearer" else None
    if held is None:
        return _unauthorized(needs, "This token is not valid, or has run out. Sign in to the registry again.")
    if held.holder == SYSTEM_HOLDER:
        return HttpResponse(status=204)  # the factory's own; the registry looks at what the token grants
    try:
        actor = _actor(held.holder, known_address(request))
    except (Unauthorized, TenantRequired) as error:
        return _unauthorized(needs, error.message)
    except FactoryError as error:
        return _answer(403, "DENIED", error.message)
    scope.enter(actor.tenant)
    return _decide(actor, needs)


def _actions(method: str) -> tuple[str, ...]:
    if method in _READS:
        return ("pull",)
    return ("delete",) if method == "DELETE" else ("pull", "push")


def _actor(holder: str, address: str) -> Actor:
    kind, _, text = holder.partition(":")
    known: dict[str, Callable[..., Actor]] = {"key": identity.actor_for_key_id, "session": identity.actor_for_session}
    if kind not in known:
        raise Unauthorized("This token is not valid. Sign in to the registry again.")
    return known[kind](uuid.UUID(text), address=address)


def _decide(actor: Actor, needs: list[Access]) -> HttpResponse:
    for need in needs:
        if not may_read(actor, need.name):
            # The same whether it exists or not, and what the registry says to a token without the right.
            return _unauthorized(needs, "authentication required")
        verdict = may_write(actor, need.name, need.actions) if need.actions != ("pull",) else True
        if isinstance(verdict, Refusal):
            return _answer(403, "DENIED", f"{verdict.reason} {verdict.granted_by}")
    return HttpResponse(status=204)


def _unauthorized(needs: list[Access], message: str) -> HttpResponse:
    response = _answer(401, "UNAUTHORIZED", message)
    scopes = " ".join(f"repository:{n.name}:{','.join(n.actions)}" for n in needs)
    realm = f'Bearer realm="{env.get().public_url}/registry/token",service="{SERVICE}"'
    named = f',scope="{scopes}"' if re.fullmatch(r"[a-z0-9:,._/ -]+", scopes) else ""
    response["WWW-Authenticate"] = f'{realm}{named},error="invalid_token"'
    return response


def _answer(status: int, code: str, message: str) -> JsonResponse:
    response = JsonResponse({"errors": [{"code": code, "message": message, "detail": None}]}, status=status)
    response["Docker-Distribution-API-Version"] = "registry/2.0"
    response["Cache-Control"] = "no-store"
    return response
