"""One of everything that a route can name, and how a role asks for it."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from typing import Any

from allauth.mfa.models import Authenticator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from imagefactory.domain.builds import queue
from imagefactory.domain.builds.models import Build
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.identity import services as people
from imagefactory.domain.images.services import Published, record_image
from imagefactory.domain.projects.models import Project
from imagefactory.domain.projects.services import create_credential
from imagefactory.entry.jobs.tenant_export import make_export
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import INLINE, World, make_world
from tests.security.routes import Route
from tests.sso.parts import sign_in_parts


@dataclasses.dataclass
class Scene:
    """A world with a running build, a draft, a credential, an image and a key of the owner's."""

    world: World
    names: dict[str, str]
    draft_id: str
    tokens: dict[str, str]

    def fill(self, value: Any, **other: str) -> Any:
        """Put the scene's names into every `{...}` of a path or body."""
        if isinstance(value, dict):
            return {k: self.fill(v, **other) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill(v, **other) for v in value]
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda m: {**self.names, **other}.get(m[1], m[0]), value)
        return value

    def names_for(self, route: Route) -> dict[str, str]:
        drafts = route.path.endswith(("/start", "/retry"))
        return {"build_id": self.draft_id} if drafts else {}

    def nothing(self) -> dict[str, str]:
        """Return names of the same form for things that never existed."""
        return dict.fromkeys(self.names, str(uuid.uuid4())) | {
            "project": "never-was",
            "name": "never-was",
            "factor_id": "987654321",
        }

    def ask(self, role: str, route: Route, **other: str) -> Any:
        """Send the route's request as `role`, with a bearer token unless anonymous."""
        client = Client(raise_request_exception=False)
        headers = {} if role == "anonymous" else {"Authorization": f"Bearer {self.tokens[role]}"}
        names = self.names_for(route) | other
        url = "/api/v1" + self.fill(route.path, **names)
        if route.upload:
            archive = SimpleUploadedFile("source.tar.gz", b"not really")
            return client.post(url, {"archive": archive}, headers=headers)
        body = b"" if route.body is None else json.dumps(self.fill(route.body, **names))
        return client.generic(route.method, url, body, content_type="application/json", headers=headers)


def make_scene() -> Scene:
    world = make_world()
    owner = world.actor("owner")
    build = submit_build(owner, world.project.id, INLINE)
    claim = queue.claim("scene")
    assert claim is not None
    execution.begin(claim, ["fetch", "build"])
    draft = submit_build(owner, world.project.id, INLINE, start=False)
    credential = create_credential(owner, world.project.id, name="GIT", kind="git_password", secret="s3cret-value")
    path = f"{world.tenant_slug}/{world.project.slug}"
    record_image(
        owner,
        tenant_id=world.tenant_id,
        project_id=world.project.id,
        published=Published(path, "sha256:" + "0" * 64, "application/json", 1, ["linux/amd64"], {}, []),
        tags=["latest"],
        origin={},
    )
    # API sessions, because a key may not make keys; nobody here is in two tenants once others left their own.
    tokens = {}
    for role in world.users:
        actor = world.actor(role)
        tokens[role] = people.open_session(actor, world.users[role]).access
    key, _ = people.create_api_key(owner, name="mine")
    export = people.request_export(owner, world.tenant_id)
    make_export(export)
    data = {"name": "blue key", "credential": {}}
    factor = Authenticator.objects.create(user_id=owner.person, type="webauthn", data=data)
    fields = people.AccountFields("ci-deploy", "team@example.com", role="member", project_ids=[world.project.id])
    account = people.create_service_account(owner, fields)
    people.set_key_policy(owner, days_max=200)
    parts = sign_in_parts(world)
    _leave_other_tenants(world)
    names = {
        "project_id": str(world.project.id),
        "provider_id": str(parts.directory),
        "trust_id": str(parts.trust),
        "project": world.project.slug,
        "build_id": str(build.id),
        "credential_id": str(credential),
        "key_id": str(key.id),
        "account_id": str(account.id),
        "tenant": world.tenant_slug,
        "name": world.project.slug,
        "export_id": str(export),
        "capability": "quarantine_request",
        "action": "suspend",
        "system_role": "security_reviewer",
        "person_id": str(world.users["viewer"]),
        "owner_email": owner.email,
        **_team(world),
        "session_id": str(people.open_browser_session(owner, owner.person, how="password")),
        "factor_id": str(factor.pk),
    }
    return Scene(world, names, str(draft.id), tokens)


def _team(world: World) -> dict[str, str]:
    """Make an invitation, a role and a request for access; return their ids, and that of a member."""
    owner = world.actor("owner")
    (sent,) = people.invite(owner, addresses="nora@example.org", role="member", projects=[world.project.id])
    role = people.create_role(owner, name="Auditor", scope="project", permissions=["audit:view"])
    asked = people.request_access(world.actor("viewer"), "build:start", world.project.id)
    return {
        "invitation_id": str(sent.invitation.id),
        "role_id": str(role.id),
        "request_id": str(asked.id),
        "user_id": str(world.users["member"]),
    }


def _leave_other_tenants(world: World) -> None:
    from imagefactory.domain.identity.models import Membership, RoleBinding

    ours = [world.users[r] for r in ("admin", "member", "viewer")]
    for model in (Membership, RoleBinding):
        model.objects.filter(user_id__in=ours).exclude(tenant_id=world.tenant_id).delete()


def counted() -> tuple[int, int, int, list[Any]]:
    """Return what a refused request must not change."""
    return (
        Build.objects.count(),
        Project.objects.filter(deleted_at=None).count(),
        OutboxEvent.objects.exclude(type__in=["member.sign_in_refused", "audit.refused"]).count(),
        list(Build.objects.order_by("id").values_list("id", "status", "cancel_requested_at")),
    )
