"""Invitations: make, list, send again, cancel."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from imagefactory.entry.cli.client import as_uuid, connect, told
from imagefactory.entry.cli.members import role_key
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import complain, moment, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Invitations into the team.")

Id = Annotated[str, typer.Argument(help="Id of the invitation, from `invitations list`.")]


def _tell(sent: list[dict[str, Any]]) -> None:
    """Say what was made; a link, where no mail is sent, stands alone on standard output."""
    for each in sent:
        complain(f"{each['email']} is invited as {each['role']} until {moment(each['expires_at'])}.")
        if each["link"]:
            complain("This factory sends no mail. Hand the link on; it is not shown again:")
            say(each["link"])


@app.command()
@told
def send(
    emails: Annotated[list[str], typer.Argument(help="E-mail addresses, at most 50.")],
    *,
    role: Annotated[str, typer.Option(help="owner, admin, member, viewer, or a role of the team's own.")] = "member",
    project: Annotated[list[str] | None, typer.Option(help="A project to assign; repeat.")] = None,
    message: Annotated[str, typer.Option(help="Plain text for the letter, at most 500 characters.")] = "",
    days: Annotated[int, typer.Option(min=-1, max=10_000, help="Days until it ends, 1 to 30.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Invite people: all of them, or nobody when there is a problem with one."""
    client = connect()
    body = {
        "emails": emails,
        "role": role_key(client, role),
        "projects": project or [],
        "message": message,
        "days": days,
    }
    made = client.post("/invitations", body)
    if as_json:
        show_json(made)
        return
    _tell(made["items"])


@app.command("list")
@told
def list_invitations(
    *,
    state: Annotated[str, typer.Option(help="pending, expired, accepted or cancelled.")] = "",
    cursor: Annotated[str, typer.Option(help="Go on where a list ended.")] = "",
    as_json: AsJson = False,
) -> None:
    """List invitations, newest first."""
    found = connect().get("/invitations", state=state, cursor=cursor)
    if as_json:
        show_json(found)
        return
    rows = [
        (i["email"], i["state"], i["role"], ", ".join(i["projects"]), moment(i["expires_at"]), i["id"])
        for i in found["items"]
    ]
    show_table(("e-mail", "state", "role", "projects", "until", "id"), rows, empty="There is no such invitation.")
    if found["next_cursor"]:
        say(f"More: --cursor {found['next_cursor']}")


@app.command()
@told
def resend(invitation_id: Id) -> None:
    """Send an invitation again with a new link; older links stop working."""
    _tell([connect().post(f"/invitations/{as_uuid(invitation_id, 'invitation')}/resend")])


@app.command()
@told
def cancel(invitation_id: Id) -> None:
    """Cancel an invitation; its link stops working at once."""
    connect().call("DELETE", f"/invitations/{as_uuid(invitation_id, 'invitation')}")
    say("Cancelled.")
