"""What people are told of teams: invitations, roles, removals, requests for access."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from imagefactory.domain.identity.permissions import PERMISSION_NAMES, Permission, Role
from imagefactory.domain.identity.selectors.members import who_can_grant
from imagefactory.domain.identity.selectors.telling import (
    Team,
    inviter_or_owners,
    letter_of,
    member_told,
    team_of,
)
from imagefactory.domain.notifications.message import Message, Recipient
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.kernel.actor import system
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages.notice import Notice, recipients_of


def _id(value: object) -> uuid.UUID | None:
    return uuid.UUID(str(value)) if value else None


def _role(name: object) -> str:
    """Return a role's name as pages write it: the built-in ones are written small where they are codes."""
    return str(name).capitalize() if name in set(Role) else str(name)


def _right(permission: object) -> str:
    """Return what a permission lets one do, in words."""
    return PERMISSION_NAMES.get(Permission(str(permission)), str(permission)).lower()


def _place(e: Envelope, team: Team) -> tuple[str, str]:
    """Return the name of the project that an event is about, or of the team, and its address."""
    project_id = _id(e.payload.get("project_id"))
    if project_id:
        project = projects_by_id(system("messages"), {project_id}).get(project_id)
        if project is not None:
            return project.name, f"/t/{team.slug}/p/{project.slug}/"
    return team.name, f"/t/{team.slug}/"


def invitation(e: Envelope) -> Iterator[Notice]:
    """Send the one invited their link: by e-mail only, since the link lets its reader in, and made here for this letter."""
    letter = letter_of(uuid.UUID(str(e.payload["invitation_id"])), int(e.payload["version"]))
    if letter is None:
        return
    inviter = letter.inviter or "The administrator of this Image Factory"
    text = [
        f"{inviter} invites you to join the team {letter.team.name} on Image Factory, with the role {_role(letter.role.name)}."
    ]
    if letter.message:
        text.append(f"They write: “{letter.message}”")
    text += [
        f"The link works once, for {letter.email}, until {letter.expires}.",
        "If you did not expect this, do nothing: nobody is added without opening the link.",
    ]
    yield Notice(
        kind="team.invitation",
        recipients=[Recipient(letter.email)],
        message=Message(f"{inviter} invites you to {letter.team.name}", text, ("Look at the invitation", letter.path)),
        channels=("email",),
    )


def invitation_accepted(e: Envelope) -> Iterator[Notice]:
    """Tell the one who invited that it was accepted."""
    team = team_of(e.tenant_id) if e.tenant_id else None
    inviter = member_told(team.id, _id(e.payload.get("invited_by"))) if team else None
    if team is None or inviter is None:
        return
    said = f"{e.actor_name} ({e.payload['email']}) accepted your invitation and is in the team with the role {_role(e.payload['role'])}."
    action = ("See the team", f"/t/{team.slug}/people")
    yield Notice(
        "team.accepted", recipients_of([inviter]), Message(f"{e.actor_name} joined {team.name}", [said], action)
    )


def invitation_asked_again(e: Envelope) -> Iterator[Notice]:
    """Tell the one who invited, or the owners, that a new link is wanted."""
    team = team_of(e.tenant_id) if e.tenant_id else None
    if team is None:
        return
    email = str(e.payload["email"])
    said = (
        f"Someone opened the invitation of {email} to {team.name} after it stopped working, and asks for a new one. Send it "
        "again from the list of invitations if they should still join."
    )
    action = ("See the invitations", f"/t/{team.slug}/people/invitations")
    to = recipients_of(inviter_or_owners(team.id, _id(e.payload.get("invited_by"))))
    yield Notice("team.asked_again", to, Message(f"{email} asks for a new invitation", [said], action))


def member_removed(e: Envelope) -> Iterator[Notice]:
    """Tell a person that they were removed; by e-mail only, for they see nothing of the team any more."""
    team = team_of(e.tenant_id) if e.tenant_id else None
    if team is None or _id(e.payload["user_id"]) == e.actor_id:
        return
    text = [f"{e.actor_name} removed you from the team {team.name}. Your API keys for it have stopped working."]
    if reason := e.payload.get("reason"):
        text.append(f"The reason given: “{reason}”")
    to = [Recipient(str(e.payload["email"]), str(e.payload["name"]))]
    yield Notice("team.removed", to, Message(f"You are no longer in {team.name}", text), channels=("email",))


def role_set(e: Envelope) -> Iterator[Notice]:
    """Tell a person that someone else changed their role."""
    team = team_of(e.tenant_id) if e.tenant_id else None
    person = member_told(team.id, _id(e.payload["user_id"])) if team else None
    if team is None or person is None or person.id == e.actor_id:
        return
    name, path = _place(e, team)
    before, after = _role(e.payload["before"]), _role(e.payload["after"])
    if after:
        subject = f"Your role in {name} is now {after}"
        text = f"{e.actor_name} gave you the role {after} in {name}." + (f" Before, it was {before}." if before else "")
    else:
        subject = f"Your role in {name} ended"
        text = f"{e.actor_name} took away your role {before} in {name}."
        path = f"/t/{team.slug}/"
    yield Notice("team.role_set", recipients_of([person]), Message(subject, [text], ("Open it", path)))


def access_requested(e: Envelope) -> Iterator[Notice]:
    """Tell those who can grant it that someone asks for access."""
    team = team_of(e.tenant_id) if e.tenant_id else None
    if team is None:
        return
    permission = str(e.payload["permission"])
    name, _ = _place(e, team)
    place = f" in {name}" if e.payload["project_id"] else ""
    text = [
        f"{e.actor_name} asks to {_right(permission)}{place}. Grant or decline it on the page of the team's people."
    ]
    if message := e.payload.get("message"):
        text.append(f"They write: “{message}”")
    to = recipients_of(who_can_grant(team.id, permission, _id(e.payload["project_id"])))
    action = ("Decide", f"/t/{team.slug}/people/requests")
    yield Notice("team.access_requested", to, Message(f"{e.actor_name} asks for access to {name}", text, action))


def access_decided(e: Envelope) -> Iterator[Notice]:
    """Tell the one who asked."""
    team = team_of(e.tenant_id) if e.tenant_id else None
    person = member_told(team.id, _id(e.payload["user_id"])) if team else None
    if team is None or person is None:
        return
    name, path = _place(e, team)
    granted = e.payload["decision"] == "granted"
    text = [f"{e.actor_name} {e.payload['decision']} your request to {_right(e.payload['permission'])} in {name}."]
    if granted:
        text.append(f"You have the role {_role(e.payload['role'])} there now.")
    elif reason := e.payload.get("reason"):
        text.append(f"The reason given: “{reason}”")
    subject = f"Your request for access to {name} was {e.payload['decision']}"
    action = ("Open it", path if granted else f"/t/{team.slug}/")
    yield Notice("team.access_decided", recipients_of([person]), Message(subject, text, action))
