"""Service accounts and their keys."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from imagefactory.entry.cli.client import NOT_FOUND, ApiFailure, Client, connect, told
from imagefactory.entry.cli.keys import Days, Note, Projects, Scopes, show_keys, show_made
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import moment, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Service accounts: keys for pipelines and machines.")

Name = Annotated[str, typer.Argument(help="Name or id of the service account.")]


def _find(client: Client, name: str) -> dict[str, Any]:
    """Return the account with this name or id.

    Raises ApiFailure.
    """
    for account in client.get("/service-accounts")["items"]:
        if name.lower() in {account["name"].lower(), account["id"]}:
            return dict(account)
    raise ApiFailure(f"There is no service account {name}, or you do not manage it.", NOT_FOUND)


@app.command()
@told
def create(
    name: Annotated[str, typer.Argument(help="What uses it.")],
    contact: Annotated[str, typer.Option(help="E-mail address that is warned before a key ends.")],
    *,
    role: Annotated[str, typer.Option(help="member, viewer or admin; leave out with --permission.")] = "",
    permission: Annotated[list[str] | None, typer.Option(help="A single permission; repeat.")] = None,
    project: Projects = None,
    description: Annotated[str, typer.Option(help="A sentence about it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a service account, with no more rights than you have. Its keys come from `service-account key`."""
    body = {
        "name": name, "contact_email": contact, "description": description, "role": role,
        "permissions": permission or [], "projects": project or None,
    }  # fmt: skip
    made = connect().post("/service-accounts", body)
    if as_json:
        show_json(made)
    else:
        say(f"{made['name']}  {made['id']}")


@app.command("list")
@told
def list_accounts(*, as_json: AsJson = False) -> None:
    """List the service accounts that you manage."""
    found = connect().get("/service-accounts")
    if as_json:
        show_json(found)
        return
    rows = [
        (
            a["id"], a["name"], a["role"] or f"{len(a['permissions'])} permissions", a["keys"],
            moment(a["last_used_at"]),
            "off" if a["disabled"] else "to review" if a["needs_review"] else "",
        )
        for a in found["items"]
    ]  # fmt: skip
    show_table(("id", "name", "may do", "keys", "last used", ""), rows, empty="There is no service account.")


@app.command("key")
@told
def create_key(
    account: Name,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    scope: Scopes = None,
    project: Projects = None,
    days: Days = 90,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Make a key of a service account. Its text is printed this once; `key rotate` and `key revoke` take its id."""
    client = connect()
    body = {"name": name, "scopes": scope or None, "projects": project or None, "days": days, "note": note}
    show_made(client.post(f"/service-accounts/{_find(client, account)['id']}/keys", body), as_json=as_json)


@app.command()
@told
def keys(account: Name, *, as_json: AsJson = False) -> None:
    """List the keys of a service account."""
    client = connect()
    found = client.get(f"/service-accounts/{_find(client, account)['id']}/keys")
    if as_json:
        show_json(found)
    else:
        show_keys(found["items"], empty="This service account has no key.")


def _switch(account: str, *, off: bool) -> None:
    client = connect()
    client.call("PATCH", f"/service-accounts/{_find(client, account)['id']}", json={"disabled": off})


@app.command()
@told
def disable(account: Name) -> None:
    """Switch a service account off; none of its keys works until it is switched on again."""
    _switch(account, off=True)
    say("Switched off.")


@app.command()
@told
def enable(account: Name) -> None:
    """Switch a service account on again."""
    _switch(account, off=False)
    say("Switched on.")


@app.command()
@told
def delete(account: Name) -> None:
    """Delete a service account; all of its keys stop working at once."""
    client = connect()
    client.call("DELETE", f"/service-accounts/{_find(client, account)['id']}")
    say("Deleted.")
