"""One's own tenants: list, show, change, export, delete, keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagefactory.entry.cli.client import USAGE, ApiFailure, connect, told
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import moment, say, show_fields, show_json, show_table, size

app = typer.Typer(no_args_is_help=True, help="Your tenants: profile, export, end.")
Tenant = Annotated[str, typer.Argument(help="Short name or id of the tenant.")]


@app.command("list")
@told
def list_tenants(*, as_json: AsJson = False) -> None:
    """List the tenants that you belong to."""
    found = connect().get("/tenants")
    if as_json:
        show_json(found)
        return
    rows = [(t["slug"], t["name"], t["role"]) for t in found["items"]]
    show_table(("tenant", "name", "role"), rows, empty="You belong to no tenant.")


@app.command()
@told
def show(tenant: Tenant, *, as_json: AsJson = False) -> None:
    """Show a tenant's profile, state and capabilities."""
    found = connect().get(f"/tenants/{tenant}")
    if as_json:
        show_json(found)
        return
    on = ", ".join(name for name, held in found["capabilities"].items() if held)
    off = ", ".join(name for name, held in found["capabilities"].items() if not held)
    shown = ("slug", "name", "state", "state_reason", "time_zone", "language", "contact_email", "support_email")
    fields = [(name.replace("_", " "), found[name]) for name in shown]
    show_fields([*fields, ("removed on", moment(found["delete_after"])), ("entitled to", on), ("not entitled to", off)])


@app.command("set")
@told
def change(
    tenant: Tenant,
    *,
    name: Annotated[str | None, typer.Option(help="Name.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Time zone, such as Europe/Stockholm.")] = None,
    language: Annotated[str | None, typer.Option(help="Language, such as en.")] = None,
    contact_email: Annotated[str | None, typer.Option(help="Where the operator reaches the team.")] = None,
    support_email: Annotated[str | None, typer.Option(help="Where members ask for help.")] = None,
) -> None:
    """Change a tenant's profile."""
    given = {"name": name, "time_zone": time_zone, "language": language, "contact_email": contact_email,
             "support_email": support_email}  # fmt: skip
    body = {key: value for key, value in given.items() if value is not None}
    if not body:
        raise ApiFailure(
            "Say what to change: --name, --time-zone, --language, --contact-email, --support-email.", USAGE
        )
    connect().call("PATCH", f"/tenants/{tenant}", json=body)
    say("Saved.")


@app.command()
@told
def export(tenant: Tenant, *, as_json: AsJson = False) -> None:
    """Have an export made, and list those there are."""
    client = connect()
    client.post(f"/tenants/{tenant}/exports")
    found = client.get(f"/tenants/{tenant}/exports")
    if as_json:
        show_json(found)
        return
    rows = [(e["id"], e["status"], size(e["size_bytes"]), moment(e["expires_at"])) for e in found["items"]]
    show_table(("id", "status", "size", "until"), rows, empty="No export yet.")


@app.command()
@told
def download(
    tenant: Tenant,
    export_id: Annotated[str, typer.Argument(help="Id of a ready export.")],
    to: Annotated[Path, typer.Argument(help="File to write; it must not be there yet.")],
) -> None:
    """Download an export."""
    client = connect()
    with client.stream(f"/tenants/{tenant}/exports/{export_id}/archive", headers={}) as answer:
        if answer.is_error:
            answer.read()
            raise ApiFailure("There is no such export that can still be downloaded.", 4)
        try:
            with to.open("xb") as out:
                for piece in answer.iter_bytes():
                    out.write(piece)
        except FileExistsError:
            raise ApiFailure(f"{to} is there already. Choose another name.", USAGE) from None
    say(f"Written to {to}.")


@app.command()
@told
def delete(
    tenant: Tenant,
    *,
    confirm: Annotated[str, typer.Option(help="The tenant's short name, typed again.")],
    reason: Annotated[str, typer.Option(help="Why; stands in the audit trail.")],
) -> None:
    """Begin the deletion: an export is made; after the grace period everything is removed."""
    connect().call("DELETE", f"/tenants/{tenant}", json={"confirm": confirm, "reason": reason})
    say("The deletion has begun. `imagefactory tenants keep` stops it.")


@app.command()
@told
def keep(tenant: Tenant, *, reason: Annotated[str, typer.Option(help="Why; stands in the audit trail.")]) -> None:
    """Stop the deletion of a tenant."""
    connect().post(f"/tenants/{tenant}/keep", {"reason": reason})
    say("The deletion is stopped.")
