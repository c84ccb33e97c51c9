"""What the registry tells of pushes by hand: each is looked up in the registry itself, and recorded under Images."""

from __future__ import annotations

import hmac
import json
import logging
import re
import uuid

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from imagefactory.adapters.registries.events import RegistryEvent, read_events, shared_secret
from imagefactory.adapters.registries.reader import NotAnImage, RegistryAway, RegistryReader, Stored
from imagefactory.adapters.registries.tokens import Access
from imagefactory.domain.identity.selectors import person_by_email, program_name, tenant_with_slug
from imagefactory.domain.images.services import Published, record_push, record_removal
from imagefactory.domain.projects.selectors import ProjectView, project_at
from imagefactory.entry.http.registry import issuer
from imagefactory.kernel import actor as actors
from imagefactory.kernel import env, ids, scope
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.errors import NotFound, Unavailable
from imagefactory.kernel.secrets import read_or_make

log = logging.getLogger(__name__)


@csrf_exempt
def registry_events(request: HttpRequest) -> HttpResponse:
    """Take a message of the registry. Only one who shows the shared secret learns that this address exists.

    The registry sends a message again and again until it is taken, and the next ones wait behind it: so 503 is for what
    passes (registry or database away), and a message that nobody can use is taken and logged.
    """
    shown = request.headers.get("Authorization", "")
    if request.method != "POST" or not hmac.compare_digest(
        shown.encode(), f"Bearer {shared_secret(upload_secret())}".encode()
    ):
        raise NotFound("page")
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        log.warning("the registry sent a message that is no JSON")
        return HttpResponse(status=202)
    reader = _reader()
    try:
        for event in read_events(document):
            _take(event, reader)
    except RegistryAway as error:
        raise Unavailable(f"{error} Send it again later.") from None
    finally:
        reader.close()
    return HttpResponse(status=202)


def upload_secret() -> str:
    """Return the registry's own secret, which both sides derive the shared one from."""
    path = env.get().data_dir / "secrets" / "registry-http.key"
    return read_or_make(path, ids.token(32).encode()).decode().strip()


def _reader() -> RegistryReader:
    settings = env.get()
    socket = settings.run_dir / "registry.sock"

    def token(repository: str) -> str:
        return str(issuer().issue("web", [Access("repository", repository, ("pull",))])["token"])

    if socket.exists():
        return RegistryReader("http://registry", token, socket)
    return RegistryReader(settings.public_url, token)


def _take(event: RegistryEvent, reader: RegistryReader) -> None:
    slug, _, rest = event.repository.partition("/")
    tenant_id = tenant_with_slug(slug)
    # The dispatcher records what it pushes itself, with the build that it came from.
    if tenant_id is None or event.subject == "dispatcher":
        return
    with scope.tenant(tenant_id):
        project = project_at(slug, rest.partition("/")[0])
        if project is not None:
            _record(event, reader, project)


def _record(event: RegistryEvent, reader: RegistryReader, project: ProjectView) -> None:
    try:
        if event.action == "push":
            _pushed(event, reader, project)
        else:
            _removed(event, reader)
    except NotAnImage as error:
        log.info("not recorded: %s", error)
    except (RegistryAway, OperationalError):
        raise
    except Exception:
        log.exception("an event of the registry about %s was dropped", event.repository)


def _pushed(event: RegistryEvent, reader: RegistryReader, project: ProjectView) -> None:
    """Record the pushed digest; its tag only while the tag still names it: who moved it on has an event of their own."""
    tag = event.tag
    stored = reader.read(event.repository, tag) if tag else None
    if event.digest and (stored is None or stored.digest != event.digest):
        stored, tag = reader.read(event.repository, event.digest), ""
    if stored is None:
        return
    record_push(
        _who(event), tenant_id=project.tenant_id, project_id=project.id, published=_published(event, stored), tag=tag,
        origin={"kind": "push", "by": _by(event), "client": event.client},
    )  # fmt: skip


def _by(event: RegistryEvent) -> str:
    """Return a person's e-mail address, or the name of the program that pushed."""
    who = _who(event)
    return who.email or who.name


def _removed(event: RegistryEvent, reader: RegistryReader) -> None:
    if event.tag and reader.read(event.repository, event.tag) is None:
        record_removal(_who(event), path=event.repository, tag=event.tag)
    if event.digest and reader.read(event.repository, event.digest) is None:
        record_removal(_who(event), path=event.repository, digest=event.digest)


def _published(event: RegistryEvent, stored: Stored) -> Published:
    return Published(
        event.repository, stored.digest, stored.media_type, stored.size_bytes, stored.platforms, stored.config,
        stored.layers,
    )  # fmt: skip


def _who(event: RegistryEvent) -> Actor:
    """Return who pushed: the token's subject is `<tenant>/<e-mail>`, or `<tenant>/<id>` for who is no person.

    It was signed by our own token service.
    """
    said = event.subject.partition("/")[2]
    if program := _program(said):
        return program
    person = person_by_email(said) if said else None
    if person is None:
        return actors.system(said or event.subject or "registry")
    return Actor(ActorKind.USER, person.name, user_id=person.id, email=person.email)


def _program(said: str) -> Actor | None:
    """Return the service account or the CI run with this id, for the record of what it pushed."""
    if not re.fullmatch("[0-9a-f-]{36}", said):
        return None
    found = program_name(uuid.UUID(said))
    if found is None:
        return None
    kind, name = found
    if kind is ActorKind.CI:
        return Actor(kind, name, key_id=uuid.UUID(said))
    return Actor(kind, name, service_account_id=uuid.UUID(said))
