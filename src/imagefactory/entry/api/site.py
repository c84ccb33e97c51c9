"""The API put together, and the three machine endpoints that are not part of it."""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import json
import re
import uuid
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import RequestDataTooBig
from django.db import DataError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from imagefactory import __version__
from imagefactory.domain.builds import selectors as builds
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity.errors import SecondFactorRequired
from imagefactory.domain.identity.permissions import Capability, Permission
from imagefactory.domain.identity.policies import may, require_capability
from imagefactory.domain.images.selectors import registry_access
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.entry.api import access_requests, members, networks, reference, service_accounts, sign_ins
from imagefactory.entry.api import admin as admin_routes
from imagefactory.entry.api import audit as audit_routes
from imagefactory.entry.api import auth as auth_routes
from imagefactory.entry.api import builds as build_routes
from imagefactory.entry.api import identity_providers as provider_routes
from imagefactory.entry.api import images as image_routes
from imagefactory.entry.api import invitations as invitation_routes
from imagefactory.entry.api import keys as key_routes
from imagefactory.entry.api import notifications as notification_routes
from imagefactory.entry.api import projects as project_routes
from imagefactory.entry.api import roles as role_routes
from imagefactory.entry.api import tenants as tenant_routes
from imagefactory.entry.api.security import BearerOrSession
from imagefactory.entry.http.actors import actor_of, client_address, known_address
from imagefactory.entry.http.failures import database_away, envelope
from imagefactory.kernel import env, scope
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import (
    FactoryError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    TooLarge,
    Unauthorized,
    ValidationFailed,
)
from imagefactory.kernel.throttle.check import count_attempt, origin

api = NinjaAPI(
    title="Image Factory",
    version=__version__,
    description="Build, check and hand out images. Every route states the permission it needs as `x-permission`.",
    auth=BearerOrSession(),
    docs_url=None,
    openapi_url="/openapi.json",
)
api.add_router("/auth", auth_routes.router)
api.add_router("/auth", sign_ins.router)
api.add_router("/api-keys", key_routes.router)
api.add_router("/service-accounts", service_accounts.router)
api.add_router("/tenants/current/key-policy", key_routes.policy)
api.add_router("/tenants/current/network", networks.router)
api.add_router("/admin/tenants", networks.admin)
api.add_router("/projects", project_routes.router)
api.add_router("/projects", members.of_project)
api.add_router("/members", members.router)
api.add_router("/invitations", invitation_routes.router)
api.add_router("/roles", role_routes.router)
api.add_router("/access-requests", access_requests.router)
api.add_router("/builds", build_routes.router)
api.add_router("/images", image_routes.router)
api.add_router("/tenants", tenant_routes.router)
api.add_router("/admin", admin_routes.router)
api.add_router("/identity-providers", provider_routes.router)
api.add_router("/auth", provider_routes.exchange)
api.add_router("/ci-trust", provider_routes.trust)
api.add_router("/notifications", notification_routes.router)
api.add_router("/audit", audit_routes.router)
api.add_router("/admin", audit_routes.admin)


@api.exception_handler(FactoryError)
def _ours(request: HttpRequest, error: FactoryError) -> HttpResponse:
    return envelope(request, error)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields: dict[str, list[str]] = {}
    for e in error.errors:
        place = [str(p) for p in e["loc"] if p not in {"body", "query", "path", "payload", "file"}]
        sentence = str(e["msg"]).removeprefix("Value error, ").rstrip(".") + "."
        fields.setdefault(".".join(place) or "request", []).append(sentence)
    return envelope(request, ValidationFailed(fields))


@api.exception_handler(AuthenticationError)
def _who(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return envelope(request, Unauthorized("Sign in first, or send an API key as a bearer token."))


@api.exception_handler(HttpError)
def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    return envelope(
        request,
        InvalidRequest(f"This request cannot be read: {error}. Send JSON as the documentation shows."),
    )


@api.exception_handler(RequestDataTooBig)
def _big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return envelope(request, TooLarge("The request body is larger than 4 MiB. Put large files into an upload."))


@api.exception_handler(DataError)
def _data(request: HttpRequest, error: DataError) -> HttpResponse:
    return envelope(
        request,
        InvalidRequest("A value in this request is out of range or holds a character that cannot be stored."),
    )


@api.exception_handler(OperationalError)
def _away(request: HttpRequest, error: OperationalError) -> HttpResponse:
    return envelope(request, database_away(error))


@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    """Return the readable documentation of the API, made from its OpenAPI document; in the frame of the team named."""
    if request.user.is_authenticated and (tenant := request.GET.get("tenant", "")[:64]):
        with contextlib.suppress(FactoryError):
            actor_of(request, tenant)
    document = api.get_openapi_schema()
    example = f'curl -H "Authorization: Bearer $IMAGEFACTORY_TOKEN" {env.get().public_url}/api/v1/builds'
    page = {"title": document["info"]["title"], "areas": reference.areas(document), "example": example}
    return render(request, "api_docs.html", page)


_STREAM = re.compile(r"/(?:api/v1/builds|live/builds)/([0-9a-f-]{36})/logs(?:/stream)?")


@require_GET
def stream_grant(request: HttpRequest) -> JsonResponse:
    """Say what a live stream may carry: which execution's log, or which topics. Asked by the stream process."""
    asked = urlsplit(request.GET.get("path", "")[:2000])
    query = parse_qs(asked.query)
    if match := _STREAM.fullmatch(asked.path):
        build_id = uuid.UUID(match[1])
        attempt = query.get("attempt", ["0"])[0]
        number = int(attempt) if attempt.isdecimal() and len(attempt) < 6 else 0
        actor = _actor_for_build(request, build_id)
        if not builds.get_build(actor, build_id).attempts:
            waiting = {
                "execution_id": None,
                "attempt": None,
                "topics": [f"build:{build_id}"],
                "finished": False,
            }
            return JsonResponse(waiting | {"person": _person(actor), "expires_in": 15})
        execution = builds.get_execution(actor, build_id, number or None)
        return JsonResponse(
            {"execution_id": str(execution.id), "attempt": execution.attempt, "topics": [f"build:{build_id}"],
             "finished": execution.finished_at is not None, "person": _person(actor), "expires_in": 15}
        )  # fmt: skip
    if asked.path != "/live":
        raise NotFound("stream")
    topics = _topics(request, query.get("topics", [""])[0])
    return JsonResponse({"topics": topics, "person": _person(actor_of(request)), "expires_in": 15})


def _person(actor: Actor) -> str:
    """Return the topic under which news of the asking person's rights go out; a key has its maker's or its service account's."""
    return f"user:{actor.subject_id}"


def _actor_for_build(request: HttpRequest, build_id: uuid.UUID) -> Actor:
    """Return the actor in the tenant of this build, when they belong to it; a page's stream names no tenant."""
    actor = actor_of(request)
    if actor.tenant_id is not None or actor.user_id is None:
        return actor
    for tenant in identity.tenants_open_to(actor):
        candidate = _in_tenant(request, tenant.slug)
        if candidate is None:
            continue
        scope.enter(candidate.tenant)
        if builds.may_see(candidate, build_id):
            return candidate
    raise NotFound("build")


def _in_tenant(request: HttpRequest, tenant: str) -> Actor | None:
    """Return who asks as an actor in one of their tenants; None where it is shut to this address or way of signing in."""
    try:
        return actor_of(request, tenant)
    except (PermissionDenied, SecondFactorRequired):
        return None


def _topics(request: HttpRequest, asked: str) -> list[str]:
    """Return what the actor may hear of the asked topics.

    A tenant's topic names every project, so it is for those who see them all; others get the topics of their projects in
    its place, and pages need not know which.
    """
    actor = actor_of(request)
    allowed: set[str] = set()
    within = _Within(request, actor)
    for topic in asked.split(",")[:20]:
        kind, _, text = topic.partition(":")
        try:
            key = uuid.UUID(text)
        except ValueError:
            continue
        if kind == "tenant":
            allowed |= within.tenant_topics(key)
        elif kind == "user":
            # A key does work in a tenant; the account is its owner's own matter.
            if key == actor.user_id and not actor.key_id:
                allowed.add(f"user:{key}")
        elif (kind == "build" and any(builds.may_see(a, key) for a in within.actors())) or (
            kind == "project" and any(projects_by_id(a, {key}) for a in within.actors())
        ):
            allowed.add(f"{kind}:{key}")
    return sorted(allowed)[:1000]


class _Within:
    """The asking person as an actor in each of their tenants; a key only in its own, with its scopes."""

    def __init__(self, request: HttpRequest, actor: Actor) -> None:
        self._request = request
        self._actor = actor
        self._made: dict[uuid.UUID, Actor | None] = {actor.tenant_id: actor} if actor.tenant_id else {}
        named = actor.tenant_id is not None or actor.user_id is None
        self._tenants = [] if named else [t.id for t in identity.tenants_open_to(actor)]

    def actors(self) -> Iterator[Actor]:
        """Yield each with their tenant in scope."""
        if self._actor.tenant_id is not None:
            scope.enter(self._actor.tenant)
            yield self._actor
        for tenant_id in self._tenants:
            if tenant_id not in self._made:
                self._made[tenant_id] = _in_tenant(self._request, str(tenant_id))
            if (made := self._made[tenant_id]) is not None:
                scope.enter(tenant_id)
                yield made

    def tenant_topics(self, tenant_id: uuid.UUID) -> set[str]:
        actor = next((a for a in self.actors() if a.tenant_id == tenant_id), None)
        projects = actor.projects_with("project:view") if actor else frozenset()
        return {f"tenant:{tenant_id}"} if projects is None else {f"project:{p}" for p in projects}


@csrf_exempt
@require_GET
def registry_token(request: HttpRequest) -> JsonResponse:
    """Issue a registry token (distribution token authentication): what the caller may do of what they ask for.

    Basic auth with an API key as the password. A stranger gets 401; a member without the right gets a token without it,
    and the registry then refuses.
    """
    from imagefactory.entry.http.refusals import note_scopes
    from imagefactory.entry.http.registry import issue, read_grant, refused_scopes

    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        _user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        password = ""
    if scheme.lower() != "basic" or not password:
        raise Unauthorized("Sign in to the registry with an API key: docker login, any user name, the key as password.")
    scopes = [s for value in request.GET.getlist("scope")[:20] for s in value.split(" ")][:20]
    grant = read_grant(password)
    if grant is not None:
        return JsonResponse(issue(grant.subject, scopes, grant.allows))
    try:
        actor = identity.actor_for_token(
            password[:400], request_id=getattr(request, "request_id", ""), address=known_address(request)
        )
        scope.enter(actor.tenant)
    except Unauthorized:
        count_attempt("sign in to the registry", origin(client_address(request)), limit=60, window_seconds=300)
        raise
    _say_why_no_push(actor, scopes)
    allowed = functools.cache(functools.partial(registry_access, actor))
    note_scopes(request, actor, refused_scopes(scopes, allowed))
    holder = f"key:{actor.key_id}" if actor.key_id else f"session:{identity.session_of_token(password[:400])}"
    subject = f"{actor.tenant_slug}/{actor.email or actor.subject_id}"
    return JsonResponse(issue(subject, scopes, allowed, holder))


def _say_why_no_push(actor: Actor, scopes: list[str]) -> None:
    """Refuse with the reason a push into a tenant in which nobody may push now; any other is refused by its token.

    Raises PermissionDenied, CapabilityOff.
    """
    own = [s for s in scopes if s.startswith(f"repository:{actor.tenant_slug}/") and "push" in s.rpartition(":")[2]]
    if not own:
        return
    require_capability(actor, Capability.BUILD)
    verdict = may(actor, Permission.BUILD_START)
    if verdict is not True and verdict.code == "tenant_suspended":
        authorize(verdict)


def openapi_text() -> str:
    """Return the OpenAPI document as it is committed in the reference."""
    return json.dumps(api.get_openapi_schema(), indent=2, default=str)
