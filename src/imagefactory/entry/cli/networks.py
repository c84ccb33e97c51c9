"""From which networks a team takes requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from imagefactory.entry.cli.client import connect, told
from imagefactory.entry.cli.projects import read_text
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Networks that keys, and people if you say so, may come from.")


@app.command()
@told
def show(*, as_json: AsJson = False) -> None:
    """Show the list."""
    found = connect().get("/tenants/current/network")
    if as_json:
        show_json(found)
        return
    say("Holds for keys and people's sign-ins." if found["for_sessions"] else "Holds for keys.")
    rows = [(n["cidr"], n["note"]) for n in found["networks"]]
    show_table(("network", "note"), rows, empty="The list is empty: requests are taken from everywhere.")


@app.command("set")
@told
def set_list(
    file: Annotated[Path, typer.Argument(help="One network in each line, a note behind it; /dev/stdin for a pipe.")],
    *,
    sessions: Annotated[bool, typer.Option("--sessions", help="People's sign-ins too, not only keys.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Though keys stop working at your own address.")] = False,
) -> None:
    """Replace the list; an empty file takes requests from everywhere."""
    lines = [line.strip().partition(" ") for line in read_text(file).splitlines() if line.strip()]
    networks = [{"cidr": cidr, "note": note.strip(" #")} for cidr, _, note in lines]
    body = {"networks": networks, "for_sessions": sessions, "confirmed": confirm}
    connect().call("PUT", "/tenants/current/network", json=body)
    say(f"Saved: {len(networks)} networks.")


@app.command()
@told
def clear(tenant: Annotated[str, typer.Argument(help="Slug or id of the team.")]) -> None:
    """Empty the list of any team, for one that shut itself out. For administrators of the installation."""
    connect().call("DELETE", f"/admin/tenants/{quote(tenant, safe='')}/network")
    say("Cleared.")
