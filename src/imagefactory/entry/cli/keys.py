"""API keys: make, list, rotate and revoke one's own, or see all of the tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from imagefactory.entry.cli.client import as_uuid, connect, told
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import complain, moment, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="API keys, for programs and for docker login.")

Scopes = Annotated[list[str] | None, typer.Option("--scope", help="A permission it carries; repeat. Else all.")]
Projects = Annotated[
    list[str] | None, typer.Option("--project", help="A project it is for, by slug or id; repeat. Else all.")
]
Days = Annotated[int, typer.Option(min=-1, max=10_000, help="Days until it ends.")]
Note = Annotated[str, typer.Option(help="A note about it.")]
KeyId = Annotated[str, typer.Argument(help="Id of the key, from `key list`.")]


def show_made(made: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a new key: about it on standard error, its text alone on standard output."""
    if as_json:
        show_json(made)
        return
    complain(f"Key {made['name']} ({made['id']}) works until {moment(made['expires_at'])}. It is not shown again.")
    if end := made.get("old_key_works_until"):
        complain(f"The old key works until {moment(end)}.")
    say(made["key"])


def show_keys(items: Sequence[Mapping[str, Any]], *, holder: bool = False, empty: str) -> None:
    """Print keys as a table, with whose they are when there can be several."""
    rows = [
        (
            k["id"], *((k["holder"],) if holder else ()), k["name"], k["prefix"], moment(k["created_at"]),
            moment(k["expires_at"]), moment(k["last_used_at"]), k["last_used_address"],
        )
        for k in items
    ]  # fmt: skip
    head = ("id", *(("whose",) if holder else ()), "name", "prefix", "made", "ends", "last used", "from")
    show_table(head, rows, empty=empty)


@app.command()
@told
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    scope: Scopes = None,
    project: Projects = None,
    days: Days = 90,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Make a key. Its text is printed this once, alone on standard output."""
    body = {"name": name, "scopes": scope or None, "projects": project or None, "days": days, "note": note}
    show_made(connect().post("/api-keys", body), as_json=as_json)


@app.command("list")
@told
def list_keys(
    *,
    everyone: Annotated[bool, typer.Option("--all", help="All keys of the team, for its owners.")] = False,
    as_json: AsJson = False,
) -> None:
    """List your keys in this tenant, or all of the tenant."""
    client = connect()
    found = client.get("/api-keys", everyone="true" if everyone else None)
    items = found["items"]
    while after := found.get("next_cursor"):
        found = client.get("/api-keys", everyone="true", cursor=after)
        items += found["items"]
    found["items"] = items
    if as_json:
        show_json(found)
        return
    show_keys(found["items"], holder=everyone, empty="There is no API key." if everyone else "You have no API key.")


@app.command()
@told
def rotate(
    key_id: KeyId,
    *,
    hours: Annotated[int, typer.Option(min=-1, max=10_000, help="Hours that the old key works on: 0 to 168.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Make a successor of a key, printed this once; the old one works on for a while."""
    made = connect().post(f"/api-keys/{as_uuid(key_id, 'key')}/rotate", {"overlap_hours": hours})
    show_made(made, as_json=as_json)


@app.command()
@told
def revoke(key_id: KeyId) -> None:
    """Revoke a key; it stops working at once."""
    connect().call("DELETE", f"/api-keys/{as_uuid(key_id, 'key')}")
    say("Revoked.")
