"""Roles of the team's own: list, make, change, delete."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from imagefactory.entry.cli.client import connect, told
from imagefactory.entry.cli.members import role_key
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Roles: the built-in ones, and the team's own.")

Role = Annotated[str, typer.Argument(help="Name or id of a role of the team's own.")]
Permissions = Annotated[
    list[str] | None, typer.Option("--permission", help="A permission, such as build:view; repeat.")
]


@app.command("list")
@told
def list_roles(*, as_json: AsJson = False) -> None:
    """List every role that can be given here."""
    found = connect().get("/roles")
    if as_json:
        show_json(found)
        return
    rows = [(r["name"], r["scope"], str(len(r["permissions"])), ", ".join(r["permissions"])) for r in found["items"]]
    show_table(("role", "held in", "count", "permissions"), rows, empty="There is no role.")


@app.command()
@told
def create(
    name: Annotated[str, typer.Argument(help="Name of the role.")],
    *,
    permission: Permissions = None,
    tenant_wide: Annotated[
        bool, typer.Option("--tenant-wide", help="Held in the whole team, not in projects.")
    ] = False,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a role out of permissions, no wider than your own."""
    scope = "tenant" if tenant_wide else "project"
    body = {"name": name, "description": description, "scope": scope, "permissions": permission or []}
    made = connect().post("/roles", body)
    say(f"Role {made['name']} is made ({made['id']}).")


@app.command()
@told
def change(
    role: Role,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    permission: Permissions = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
) -> None:
    """Change a role; `--permission` names all that it has from then on. It holds from the next request."""
    client = connect()
    given = {"name": name, "permissions": permission, "description": description}
    body: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    made = client.call("PATCH", f"/roles/{role_key(client, role)}", json=body)
    say(f"Role {made['name']}: {', '.join(made['permissions'])}.")


@app.command()
@told
def delete(
    role: Role,
    *,
    replacement: Annotated[str, typer.Option(help="The role that its holders have instead.")] = "",
) -> None:
    """Delete a role; where people hold it, with a replacement."""
    client = connect()
    instead = role_key(client, replacement) if replacement else ""
    client.call("DELETE", f"/roles/{role_key(client, role)}", params={"replacement": instead})
    say("Deleted.")
