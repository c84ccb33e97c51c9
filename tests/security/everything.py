"""One of everything in a tenant, for tests that name each of it: as its own, as another's, and as what never was."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from imagefactory.adapters.logs.base import Line
from imagefactory.domain.builds import queue
from imagefactory.domain.builds.models import Build, Execution
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.models import (
    ApiKey,
    ExternalIdentity,
    IdentityProvider,
    Membership,
    RoleBinding,
    User,
)
from imagefactory.domain.identity.services.email_proofs import new_proof
from imagefactory.domain.identity.states import ProofPurpose
from imagefactory.domain.images.services import Published, record_image
from imagefactory.domain.notifications.models import Notice
from imagefactory.domain.projects.models import Project, Upload
from imagefactory.domain.projects.services import create_credential, create_project
from imagefactory.entry.http.logs import log_store
from imagefactory.entry.jobs.tenant_export import make_export
from imagefactory.kernel import secrets
from imagefactory.kernel.actor import Actor, system
from imagefactory.kernel.ids import uuid7
from tests.conftest import INLINE, World, _sign_up, make_world
from tests.pictures import PNG
from tests.sso.parts import sign_in_parts


@dataclasses.dataclass
class Everything:
    """A world with two projects, builds in several states, an image, a credential, an upload, and what one can name."""

    world: World
    names: dict[str, Any]
    builds: dict[str, Build]
    other_project: uuid.UUID

    def own(self, actor: Actor) -> dict[str, Any]:
        """Return the names of what belongs to one person alone, made for this actor."""
        notice = Notice.objects.create(
            id=uuid7(), event_id=uuid.uuid4(), user_id=actor.person, tenant_id=actor.tenant_id, kind="build.failed",
            subject="It failed", path="/help",
        )  # fmt: skip
        ApiKey.objects.filter(
            user_id=actor.person, name="own"
        ).delete()  # a person may have so many, and each ask makes one
        # As before a suspension: a team that is stopped makes no keys, and has those it made.
        person = dataclasses.replace(actor, kind=type(actor.kind).USER, tenant_state="active")
        key = people.create_api_key(person, name="own")[0]
        return {"key_id": str(key.id), "notice_id": str(notice.id)} | _own_sign_in(actor)


def _own_sign_in(actor: Actor) -> dict[str, Any]:
    """Return the names of what belongs to a person's sign-in: a session, a second factor, the links in their mails."""
    user = User.objects.get(id=actor.person)
    shared = IdentityProvider.objects.filter(tenant=None).latest("id")
    link, _ = ExternalIdentity.objects.get_or_create(provider=shared, user=user, defaults={"subject": str(user.id)})
    made = {
        "identity_id": str(link.id),
        "session_id": str(people.open_browser_session(actor, user.id, how="password")),
    }
    data = {"name": "blue key", "credential": {}}
    Authenticator.objects.filter(user=user).delete()
    made["factor_id"] = str(Authenticator.objects.create(user=user, type="webauthn", data=data).pk)
    for name, purpose, email in (
        ("reset_token", ProofPurpose.RESET_PASSWORD, user.email),
        ("confirm_token", ProofPurpose.CONFIRM_EMAIL, user.email),
        ("email_token", ProofPurpose.CHANGE_EMAIL, f"{uuid.uuid4()}@example.com"),
    ):
        with transaction.atomic():
            proof = new_proof(user, purpose, email)
        made[name] = secrets.signed_token(purpose, proof.id, proof.version)
    return made


def _ended(world: World, name: str) -> Build:
    made = submit_build(world.actor("owner"), world.project.id, INLINE)
    claim = queue.claim(name)
    assert claim is not None
    assert claim.build_id == made.id
    execution.begin(claim, ["fetch", "build"])
    lines = [Line(1, 1_700_000_000_000, "build", "out", f"log of {world.tenant_slug}")]
    log_store().append(str(Execution.objects.get(build_id=made.id).id), 1, lines)
    execution.finish(claim, BuildStatus.FAILED, failure=execution.Failure("step_failed", "build", "It failed."))
    return Build.objects.get(id=made.id)


def _team(world: World) -> dict[str, str]:
    """Make one more member with a role of the team's own, two invitations and a request for access; return their names."""
    owner, project = world.actor("owner"), world.project.id
    held = ["build:view", "project:view"]
    role = people.create_role(owner, name="Watcher", scope="project", permissions=held)
    target = _sign_up("target")
    RoleBinding.objects.filter(user_id=target.user_id).delete()
    Membership.objects.filter(user_id=target.user_id).update(tenant_id=world.tenant_id)
    people.set_project_role(owner, target.user_id, project, str(role.id))
    text = f"{world.tenant_slug}-nora@example.org, {world.tenant_slug}-ivo@example.org"
    first, second = people.invite(owner, addresses=text, role="member", projects=[project])
    people.cancel_invitation(owner, second.invitation.id)
    asked = people.request_access(identity.actor_for_user(target.user_id), "build:start", project)
    return {
        "user_id": str(target.user_id), "role_id": str(role.id), "request_id": str(asked.id),
        "invitation_id": str(first.invitation.id), "token": first.path.rpartition("/")[2],
        "ended_token": second.path.rpartition("/")[2],
    }  # fmt: skip


def make_everything(digest: str = "1", first_number: int = 0) -> Everything:
    """Return a new tenant with one of everything; builds are numbered from `first_number` + 1."""
    world = make_world()
    owner = world.actor("owner")
    Project.objects.filter(id=world.project.id).update(last_build_number=first_number)
    other = create_project(owner, name="Other one")
    ended = _ended(world, f"w-{world.tenant_slug}")
    running = submit_build(owner, world.project.id, INLINE)
    claim = queue.claim(f"w-{world.tenant_slug}")
    assert claim is not None
    execution.begin(claim, ["fetch", "build"])
    draft = submit_build(owner, world.project.id, INLINE, start=False)
    credential = create_credential(owner, world.project.id, name="GIT", kind="git_password", secret="s3cret-value")
    upload = Upload.objects.create(
        project_id=world.project.id, filename="source.tar", digest="sha256:" + "9" * 64, size_bytes=1,
        created_by_name="owner",
    )  # fmt: skip
    path, full = f"{world.tenant_slug}/{world.project.slug}", "sha256:" + digest * 64
    layers = [{"digest": full, "size": 10, "media_type": "application/x"}]
    published = Published(path, full, "application/x", 10, ["linux/amd64"], {"Cmd": ["/hello"]}, layers)
    record_image(
        system("dispatcher"), tenant_id=world.tenant_id, project_id=world.project.id, published=published,
        tags=["latest"], origin={"kind": "build", "number": str(running.number)},
    )  # fmt: skip
    builds = {"ended": ended, "running": Build.objects.get(id=running.id), "draft": Build.objects.get(id=draft.id)}
    fields = people.AccountFields("ci-deploy", "team@example.com", role="member", project_ids=[world.project.id])
    account = people.create_service_account(world.actor("owner"), fields)
    account_key, _ = people.create_account_key(world.actor("owner"), account.id, name="pipeline")
    tenant_key, _ = people.create_api_key(world.actor("viewer"), name="someone's")
    parts = sign_in_parts(world)
    people.set_logo(owner, world.tenant_id, PNG)
    export = people.request_export(owner, world.tenant_id)
    make_export(export)
    names = {
        "slug": world.tenant_slug, "tenant_id": str(world.tenant_id), "capability": "quarantine_request", "action": "suspend",
        "role": "security_reviewer", "user_id": str(world.users["viewer"]), "owner_email": owner.email, "export_id": str(export),
        "provider_id": str(parts.directory), "saml_provider_id": str(parts.saml), "shared_provider_id": str(parts.shared),
        "trust_id": str(parts.trust),
        "account_id": str(account.id), "account_key_id": str(account_key.id), "tenant_key_id": str(tenant_key.id),
        "project_id": str(world.project.id), "tenant": world.tenant_slug, "project": world.project.slug, "number": running.number, "build_id": str(running.id),
        "name": world.project.slug, "digest": full, "credential_id": str(credential), "upload_id": str(upload.id),
        **_team(world),
    }  # fmt: skip
    return Everything(world, names, builds, other.id)
