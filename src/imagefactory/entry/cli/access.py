"""Requests for access: ask, list, grant, decline."""

from __future__ import annotations

from typing import Annotated

import typer

from imagefactory.entry.cli.client import as_uuid, connect, told
from imagefactory.entry.cli.members import role_key
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import moment, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Requests for access.")

Id = Annotated[str, typer.Argument(help="Id of the request, from `access list`.")]


@app.command()
@told
def ask(
    permission: Annotated[str, typer.Argument(help="The permission, such as build:start.")],
    *,
    project: Annotated[str, typer.Option(help="The project; without one, in the whole team.")] = "",
    message: Annotated[str, typer.Option(help="What you need it for.")] = "",
) -> None:
    """Ask those who can grant it for a permission; once a day."""
    connect().post("/access-requests", {"permission": permission, "project": project, "message": message})
    say("Asked. You are told when someone has decided.")


@app.command("list")
@told
def list_requests(
    *, state: Annotated[str, typer.Option(help="open, granted or declined.")] = "open", as_json: AsJson = False
) -> None:
    """List the requests that you may decide, and your own."""
    found = connect().get("/access-requests", state=state)
    if as_json:
        show_json(found)
        return
    rows = [
        (r["user_name"], r["permission"], r["project"] or "", r["state"], moment(r["created_at"]), r["id"])
        for r in found["items"]
    ]
    show_table(("who", "permission", "project", "state", "asked", "id"), rows, empty="Nobody asks for access.")


@app.command()
@told
def grant(
    request_id: Id,
    *,
    role: Annotated[str, typer.Option(help="The role to give; else the smallest that has the permission.")] = "",
    project: Annotated[str, typer.Option(help="Where, for a request that names no project.")] = "",
) -> None:
    """Grant a request."""
    client = connect()
    body = {"role": role_key(client, role) if role else "", "project": project}
    client.post(f"/access-requests/{as_uuid(request_id, 'request')}/grant", body)
    say("Granted.")


@app.command()
@told
def decline(request_id: Id, *, reason: Annotated[str, typer.Option(help="Told to the person.")] = "") -> None:
    """Decline a request."""
    connect().post(f"/access-requests/{as_uuid(request_id, 'request')}/decline", {"reason": reason})
    say("Declined.")
