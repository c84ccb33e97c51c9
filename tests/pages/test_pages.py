"""Every page for every role: who sees it, who may act, and what a stranger gets."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import get_resolver, reverse

from imagefactory.domain.builds import queue
from imagefactory.domain.builds.queue import Claim
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.services import (
    AccountFields,
    create_account_key,
    create_api_key,
    create_role,
    create_service_account,
    invite,
    open_browser_session,
    request_access,
    request_export,
    set_logo,
)
from imagefactory.domain.images.services import Published, record_image
from imagefactory.domain.notifications.selectors import list_notices
from imagefactory.domain.notifications.services import Message, Recipient, notify
from imagefactory.domain.projects.services import create_credential
from imagefactory.entry.jobs.tenant_export import make_export
from imagefactory.entry.web.urls import PAGES as ADDRESSES
from imagefactory.kernel.actor import Actor, system
from tests.conftest import INLINE, World
from tests.pages.system_pages import SYSTEM_PAGES
from tests.pictures import PNG
from tests.sso.parts import sign_in_parts

ROLES = ("anonymous", "stranger", "viewer", "member", "admin", "owner")
DIGEST = f"sha256:{'a' * 64}"
ALL = (302, 404, 200, 200, 200, 200)
START = (302, 404, 403, 200, 200, 200)
OPEN = (200,) * 6
MANAGE = (302, 404, 403, 403, 200, 200)
MANAGE_FORM = (302, 404, 403, 403, 302, 302)
SIGNED_IN = (302, 200, 200, 200, 200, 200)
# Of a service account, which nobody sees but who manages the team of its projects.
TEAM = (302, 404, 404, 404, 200, 200)
TEAM_ACTS = (302, 404, 404, 404, 302, 302)
ACCOUNT = {"name": "deployer", "contact_email": "team@example.com", "role": "member"}
# page -> the status for each role, in the order of ROLES; 302 leads to sign-in, or onwards.
PAGES: dict[str, tuple[int, ...]] = {
    "home": (302, 302, 302, 302, 302, 302),
    "login": (200, 302, 302, 302, 302, 302),
    "signup": OPEN,
    "login-verify": (302,) * 6,
    "login-passkey": (200, 302, 302, 302, 302, 302),
    "login-recover": OPEN,
    "login-reset": (400,) * 6,
    "login-change-password": (302, 200, 200, 200, 200, 200),
    "login-confirm": (302,) * 6,
    "login-confirm-link": (400,) * 6,
    "login-email-link": (400,) * 6,
    "me-email": SIGNED_IN,
    "me-security": SIGNED_IN,
    "me-security-required": (302,) * 6,
    "me-security-app": SIGNED_IN,
    "me-security-key": SIGNED_IN,
    "me-security-codes": SIGNED_IN,
    "me-security-rename": (302, 404, 404, 404, 404, 200),
    "me-security-remove": (302, 404, 404, 404, 404, 200),
    "me-sessions": SIGNED_IN,
    "me-sessions-end": SIGNED_IN,
    "me-session-end": (302, 404, 404, 404, 404, 200),
    "me-history": SIGNED_IN,
    "help": OPEN,
    "help-topic": OPEN,
    "me": (302, 200, 200, 200, 200, 200),
    "me-password": (302, 200, 200, 200, 200, 200),
    "me-keys": (302, 200, 200, 200, 200, 200),
    "me-key-rotate": (302, 404, 404, 404, 404, 200),
    "service-accounts": (302, 404, 403, 403, 200, 200),
    "service-account-new": (302, 404, 403, 403, 200, 200),
    "service-account": TEAM,
    "service-account-edit": TEAM,
    "service-account-key-rotate": TEAM,
    "tenant-keys": (302, 404, 403, 403, 403, 200),
    "tenant-network": ALL,
    "me-appearance": (302, 200, 200, 200, 200, 200),
    "me-notifications": (302, 200, 200, 200, 200, 200),
    "notifications": (302, 200, 200, 200, 200, 200),
    "notifications-badge": (302, 200, 200, 200, 200, 200),
    "notification": (302, 404, 404, 404, 404, 302),
    "tenant-new": (302, 200, 200, 200, 200, 200),
    "palette": (302, 200, 200, 200, 200, 200),
    "overview": ALL,
    "builds": ALL,
    "activity": (302, 404, 200, 403, 200, 200),
    "activity-export": (302, 404, 200, 403, 200, 200),
    "admin-audit": (302, 404, 404, 404, 404, 404),
    "admin-audit-export": (302, 404, 404, 404, 404, 404),
    "build-choose": (302, 404, 403, 302, 302, 302),
    "projects": ALL,
    "project-new": (302, 404, 403, 403, 403, 200),
    "images": ALL,
    "image": ALL,
    "image-version": ALL,
    "project": ALL,
    "project-builds": ALL,
    "settings": ALL,
    "settings-source": ALL,
    "settings-credentials": ALL,
    "settings-danger": ALL,
    "team-settings": ALL,
    "team-logo": ALL,
    "team-capabilities": ALL,
    "team-capability-ask": (302, 404, 403, 403, 403, 200),
    "team-danger": ALL,
    "team-export": (302, 404, 403, 403, 403, 200),
    "build-new": START,
    "build": ALL,
    "build-config": ALL,
    "build-log": ALL,
    "build-log-raw": ALL,
    "build-log-download": ALL,
    "build-log-lines": (401, 404, 200, 200, 200, 200),
    "build-log-outline": (401, 404, 200, 200, 200, 200),
    "join": OPEN,
    "people": ALL,
    "member": ALL,
    "leave": ALL,
    "access-ask": ALL,
    "roles": ALL,
    "role": ALL,
    "settings-people": ALL,
    "invitations": MANAGE,
    "invite": MANAGE,
    "invitation-cancel": (302, 404, 404, 404, 200, 200),
    "access-requests": MANAGE,
    "member-remove": MANAGE,
    "role-new": MANAGE,
    "role-delete": MANAGE,
    "build-log-search": (401, 404, 200, 200, 200, 200),
    "login-find": OPEN,
    "sso-start": (302,) * 6,
    "sso-directory": OPEN,
    # What a provider sends back; without it there is nothing to believe. tests/sso sends it.
    "sso-callback": (404,) * 6,  # the scene has no OpenID provider
    "sso-acs-finish": (403,) * 6,
    "sso-metadata": OPEN,
    "me-links": (302, 200, 200, 200, 200, 200),
    "me-link": (302, 404, 200, 200, 200, 200),
    "me-unlink": (302, 404, 404, 404, 404, 200),
    **dict.fromkeys(
        (
            "team-sign-in",
            "team-sign-in-new",
            "team-sign-in-provider",
            "team-sign-in-delete",
            "team-ci",
            "team-ci-new",
            "team-ci-rule",
            "team-ci-delete",
        ),
        (302, 404, 403, 403, 403, 200),
    ),
    **dict.fromkeys(
        (
            "admin-sign-in",
            "admin-sign-in-new",
            "admin-sign-in-provider",
            "admin-sign-in-delete",
            "admin-sign-in-confirm",
        ),
        (302, 404, 404, 404, 404, 404),
    ),
}
# A form that posts to its page's own address -> the status for a harmless change.
FORMS: dict[str, tuple[Mapping[str, str | list[str]], tuple[int, ...]]] = {
    "settings": ({"name": "Checkout", "description": ""}, (302, 404, 403, 403, 302, 302)),
    "settings-source": ({"kind": "inline", "dockerfile_text": "FROM scratch"}, (302, 404, 403, 403, 302, 302)),
    "settings-credentials": (
        {"name": "n2", "kind": "build_secret", "secret": "long enough"},
        (302, 404, 403, 403, 302, 302),
    ),
    "settings-danger": ({"archive": "1"}, (302, 404, 403, 403, 302, 302)),
    "project-new": ({"name": "Another"}, (302, 404, 403, 403, 403, 302)),
    "build-new": (
        {"source": "inline", "dockerfile_text": "FROM scratch\n", "tags": "latest", "start": "1"},
        (302, 404, 403, 302, 302, 302),
    ),
    "team-settings": ({"name": "Ours", "time_zone": "UTC", "language": "en"}, (302, 404, 403, 403, 403, 302)),
    "team-capability-ask": ({"message": "for our bases"}, (302, 404, 403, 403, 403, 302)),
    "team-danger": ({"export": "1"}, (302, 404, 403, 403, 403, 302)),
    "me": ({"name": "New Name", "time_zone": "UTC"}, (302, 302, 302, 302, 302, 302)),
    "me-keys": ({"name": "laptop", "days": "30"}, (302, 200, 200, 200, 200, 200)),
    "me-notifications": ({"email": "builds"}, (302, 302, 302, 302, 302, 302)),
    "me-key-rotate": ({"overlap_hours": "1"}, (302, 404, 404, 404, 404, 200)),
    "service-account-new": (ACCOUNT, (302, 404, 403, 403, 403, 302)),
    "service-account": ({"name": "pipeline", "days": "30"}, TEAM),
    "service-account-key-rotate": ({"overlap_hours": "0"}, TEAM),
    "tenant-keys": ({"days_max": "100"}, (302, 404, 403, 403, 403, 302)),
    "tenant-network": ({"networks": "127.0.0.0/8 here", "version": "0"}, (302, 404, 403, 403, 403, 302)),
    "tenant-new": ({"name": "One more"}, (302, 302, 302, 302, 302, 302)),
    "member": ({}, MANAGE_FORM),
    "settings-people": ({"person": "{member}", "role": "viewer"}, MANAGE_FORM),
    # Without mail the answer is the page with the links.
    "invite": (
        {"addresses": "one@example.org", "role": "viewer", "projects": "{project}", "days": "3"},
        (302, 404, 403, 403, 200, 200),
    ),
    "invitation-cancel": ({}, (302, 404, 404, 404, 302, 302)),
    "member-remove": ({}, MANAGE_FORM),
    "role-new": ({"name": "Helper", "scope": "project", "permissions": "build:view"}, MANAGE_FORM),
    "role": ({"name": "Renamed", "permissions": ["build:view", "project:view"]}, MANAGE_FORM),
    "role-delete": ({}, MANAGE_FORM),
    # Nobody needs to ask for what they have.
    "access-ask": ({"permission": "build:cancel", "project": "{project}"}, (302, 404, 302, 302, 409, 409)),
    "access-decide": ({"decline": "1"}, (302, 404, 404, 404, 302, 302)),
    # The last owner cannot leave.
    "leave": ({}, (302, 404, 302, 302, 302, 409)),
    "join": ({"name": "Nora", "password": "quite long enough 7"}, (302, 409, 409, 409, 409, 409)),
}
ACTIONS: dict[str, tuple[int, ...]] = {
    "build-rerun": (302, 404, 403, 302, 302, 302),
    "build-cancel": (302, 404, 403, 403, 302, 302),
    "credential-delete": (302, 404, 403, 403, 302, 302),
    "me-key-revoke": (302, 404, 404, 404, 404, 302),
    "invitation-resend": (302, 404, 404, 404, 200, 200),
    "notifications-read": (302, 302, 302, 302, 302, 302),
    "notifications-unread": (302, 302, 302, 302, 302, 302),
    "service-account-switch": TEAM_ACTS,
    "service-account-delete": TEAM_ACTS,
    "service-account-key-revoke": TEAM_ACTS,
    "tenant-key-revoke": (302, 404, 403, 403, 403, 302),
    "appearance": (302, 302, 302, 302, 302, 302),
    "logout": (302, 302, 302, 302, 302, 302),
    "sso-acs": (302,) * 6,
    "team-sign-in-test": (302, 404, 403, 403, 403, 200),
    "admin-sign-in-test": (302, 404, 404, 404, 404, 404),
}


def client(world: World, role: str) -> Client:
    made = Client(raise_request_exception=False)
    if role != "anonymous":
        made.force_login(User.objects.get(id=world.users[role]))
    return made


class Scene:
    """One of everything that pages show."""

    def __init__(self, world: World) -> None:
        self.world, owner = world, world.actor("owner")
        self.build = submit_build(owner, world.project.id, INLINE)
        claim = queue.claim("w")
        assert claim is not None
        self.claim: Claim = claim
        execution.begin(claim, ["fetch", "lint", "build", "publish"])
        self.credential = create_credential(
            owner, world.project.id, name="token", kind="build_secret", secret="a long secret"
        )
        self.key = create_api_key(owner, name="ci")[0].id
        self.sign_in = open_browser_session(owner, owner.person, how="password")
        data = {"name": "blue key", "credential": {}}
        self.factor = Authenticator.objects.create(user_id=owner.person, type="webauthn", data=data).pk
        fields = AccountFields("ci-deploy", "team@example.com", role="member", project_ids=[world.project.id])
        self.account = create_service_account(owner, fields).id
        self.sso = sign_in_parts(world)
        self.account_key = create_account_key(owner, self.account, name="pipeline")[0].id
        told = Message(
            "Build #1 failed", ["It stopped in the stage build."], ("Open", f"/t/{world.tenant_slug}/builds")
        )
        notify(
            event_id=self.key, kind="builds.failed", tenant_id=world.tenant_id,
            to=[Recipient(owner.email, owner.name, owner.user_id)], message=told,
        )  # fmt: skip
        (self.notice,) = list_notices(owner, [world.tenant_id])[0]
        set_logo(owner, world.tenant_id, PNG)
        self.export = request_export(owner, world.tenant_id)
        make_export(self.export)
        self._team(owner)
        path = f"{world.tenant_slug}/{world.project.slug}"
        layers = [{"digest": DIGEST, "size": 10, "media_type": "application/x"}]
        published = Published(path, DIGEST, "application/x", 10, ["linux/amd64"], {"Cmd": ["/hello"]}, layers)
        record_image(
            system("dispatcher"), tenant_id=world.tenant_id, project_id=world.project.id, published=published,
            tags=["latest"], origin={"kind": "build", "number": str(self.build.number)},
        )  # fmt: skip

    def _team(self, owner: Actor) -> None:
        world = self.world
        (sent,) = invite(owner, addresses="nora@example.org", role="member", projects=[world.project.id])
        self.invitation, self.link = sent.invitation.id, sent.path.rpartition("/")[2]
        held = ["build:view", "project:view"]
        self.role = create_role(owner, name="Watcher", scope="project", permissions=held).id
        asked = request_access(world.actor("viewer"), "build:start", world.project.id)
        self.asked, self.member = asked.id, world.users["member"]

    def form(self, name: str) -> dict[str, object]:
        """Return the harmless change of a page, with the scene's names in it."""
        names = {"{project}": self.world.project.slug, "{member}": str(self.member)}
        return {k: names.get(v, v) if isinstance(v, str) else v for k, v in FORMS[name][0].items()}

    def address(self, name: str) -> str:
        """Return the address of a page, with what its route asks for."""
        route = next(page.route for page in ADDRESSES if page.name == name)
        samples: dict[str, object] = {
            "tenant": self.world.tenant_slug, "project": self.world.project.slug, "number": self.build.number,
            "credential_id": self.credential, "key_id": self.key, "digest": DIGEST, "notice_id": self.notice.id,
            "name": "roles" if name == "help-topic" else self.world.project.slug, "session_id": self.sign_in,
            "factor_id": self.factor, "reset_token": "x", "confirm_token": "x", "email_token": "x",
            "capability": "quarantine_request", "export_id": self.export, "tenant_key_id": self.key,
            "account_id": self.account, "account_key_id": self.account_key, "identity_id": self.sso.identity,
            "trust_id": self.sso.trust, "kind": "ldap", "provider_id": self._provider(name),
            "token": self.link, "user_id": self.member, "role_id": self.role, "invitation_id": self.invitation,
            "request_id": self.asked,
        }  # fmt: skip
        wanted = re.findall(r"<(?:\w+:)?(\w+)>", route)
        url = reverse(name, kwargs={part: samples[part] for part in wanted})
        return f"{url}?q=hello" if name == "build-log-search" else url

    def _provider(self, name: str) -> object:
        if name in {"sso-acs", "sso-acs-finish", "sso-metadata"}:
            return self.sso.saml
        return self.sso.shared if name.startswith("admin-sign-in-") else self.sso.directory


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def test_every_page_has_a_row() -> None:
    names = {p.name for p in get_resolver("imagefactory.entry.web.urls").url_patterns if hasattr(p, "name")}
    assert names == set(PAGES) | set(ACTIONS) | set(FORMS) | set(SYSTEM_PAGES)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_each_page_as_the_table_says(scene: Scene, role: str) -> None:
    browser, column = client(scene.world, role), ROLES.index(role)
    for name, statuses in PAGES.items():
        answer = browser.get(scene.address(name))
        assert answer.status_code == statuses[column], (name, answer.getvalue()[:600])
        assert b"INVALID-VARIABLE" not in answer.getvalue(), (name, answer.getvalue())


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", FORMS)
def test_each_role_may_send_each_form_as_the_table_says(scene: Scene, role: str, name: str) -> None:
    statuses = FORMS[name][1]
    answer = client(scene.world, role).post(scene.address(name), scene.form(name))
    assert answer.status_code == statuses[ROLES.index(role)], answer.content[:600]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ACTIONS)
def test_each_role_may_act_as_the_table_says(scene: Scene, role: str, name: str) -> None:
    if name == "build-rerun":
        failure = execution.Failure("step_failed", "build", "It failed.")
        execution.finish(scene.claim, BuildStatus.FAILED, failure=failure)
    answer = client(scene.world, role).post(scene.address(name))
    assert answer.status_code == ACTIONS[name][ROLES.index(role)], answer.content[:300]
