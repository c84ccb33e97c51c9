"""API keys: make, list and revoke one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from imagefactory.entry.cli.client import as_uuid, connect, told
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import complain, moment, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="API keys, for programs and for docker login.")


@app.command()
@told
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    scope: Annotated[list[str] | None, typer.Option(help="A permission it carries; repeat. Else all you have.")] = None,
    days: Annotated[int, typer.Option(min=-1, max=10_000, help="Days until it ends.")] = 90,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its text is printed this once, alone on standard output."""
    made = connect().post("/api-keys", {"name": name, "scopes": scope or None, "days": days})
    if as_json:
        show_json(made)
        return
    complain(f"Key {made['name']} ({made['id']}) works until {moment(made['expires_at'])}. It is not shown again.")
    say(made["key"])


@app.command("list")
@told
def list_keys(*, as_json: AsJson = False) -> None:
    """List your keys in this tenant."""
    found = connect().get("/api-keys")
    if as_json:
        show_json(found)
        return
    rows = [
        (
            k["id"],
            k["name"],
            k["prefix"],
            moment(k["created_at"]),
            moment(k["expires_at"]),
            moment(k["last_used_at"]),
        )
        for k in found["items"]
    ]
    show_table(("id", "name", "prefix", "made", "ends", "last used"), rows, empty="You have no API key.")


@app.command()
@told
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key, from `key list`.")]) -> None:
    """Revoke a key; it stops working at once."""
    connect().call("DELETE", f"/api-keys/{as_uuid(key_id, 'key')}")
    say("Revoked.")
