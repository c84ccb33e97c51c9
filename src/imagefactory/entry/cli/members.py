"""Members of a team: list, give roles, remove, leave."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from imagefactory.entry.cli.client import USAGE, ApiFailure, Client, as_uuid, connect, told
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import moment, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Members of the team and their roles.")

Person = Annotated[str, typer.Argument(help="E-mail address or id of a member.")]


def find_member(client: Client, person: str) -> dict[str, Any]:
    """Return the member with this address or id.

    Raises ApiFailure.
    """
    if "@" not in person:
        found: dict[str, Any] = client.get(f"/members/{as_uuid(person, 'member')}")
        return found
    items = client.get("/members", search=person)["items"]
    same = [m for m in items if m["email"].lower() == person.lower()]
    if len(same) != 1:
        raise ApiFailure(f"No member has the address {person}. Look at: imagefactory members list", USAGE)
    return dict(same[0])


def role_key(client: Client, name: str) -> str:
    """Return the key of a role by its name; a key stays as it is."""
    roles = client.get("/roles")["items"]
    return next((str(r["key"]) for r in roles if name.lower() in {r["key"], r["name"].lower()}), name)


def _in_words(held: dict[str, Any]) -> str:
    return f"{held['role']} of {held['project']}" if held["project"] else f"{held['role']} (whole team)"


@app.command("list")
@told
def list_members(
    *,
    search: Annotated[str, typer.Option(help="Only names and addresses with this text.")] = "",
    project: Annotated[str, typer.Option(help="Only who has a role in this project.")] = "",
    cursor: Annotated[str, typer.Option(help="Go on where a list ended.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the members of the team."""
    found = connect().get("/members", search=search, project=project, cursor=cursor)
    if as_json:
        show_json(found)
        return
    rows = [
        (m["name"], m["email"], ", ".join(map(_in_words, m["roles"])), moment(m["last_active_at"]), m["id"])
        for m in found["items"]
    ]
    show_table(("name", "e-mail", "roles", "last active", "id"), rows, empty="Nobody matches.")
    if found["next_cursor"]:
        say(f"More: --cursor '{found['next_cursor']}'")


@app.command()
@told
def role(
    person: Person,
    role: Annotated[str, typer.Argument(help="owner, admin, member, viewer, a role of the team's own, or none.")],
    *,
    project: Annotated[str, typer.Option(help="The project; without one, the role holds in the whole team.")] = "",
) -> None:
    """Give a member a role, or take it away with `none`."""
    client = connect()
    member = find_member(client, person)
    key = "" if role == "none" else role_key(client, role)
    body: dict[str, Any] = {"projects": {project: key}} if project else {"tenant": key}
    client.call("PUT", f"/members/{member['id']}/roles", json=body)
    say(f"{member['name']} now has: {role}{f' in {project}' if project else ' in the whole team'}.")


@app.command()
@told
def remove(
    person: Person,
    *,
    reason: Annotated[str, typer.Option(help="Told to the person, and kept in the audit trail.")] = "",
) -> None:
    """Remove a member; pages, keys and live streams of the team end for them at once."""
    client = connect()
    member = find_member(client, person)
    client.call("DELETE", f"/members/{member['id']}", params={"reason": reason})
    say(f"{member['name']} is removed.")


@app.command()
@told
def leave() -> None:
    """Leave the team oneself; the last owner cannot."""
    connect().post("/members/leave")
    say("You left the team.")
