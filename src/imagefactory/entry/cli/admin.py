"""The administration: system roles, in the database of this machine; tenants, capabilities and people, over the API."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from typing import Annotated, Any

import typer

from imagefactory.entry.cli.client import NOT_FOUND, USAGE, ApiFailure, as_uuid, connect, told
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import moment, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="The installation: system roles, tenants, capabilities, people.")

Reason = Annotated[str, typer.Option(help="Why; stands in the audit trail, and those it concerns are told.")]
ACCOUNT_ACTIONS = ("suspend", "restore", "end-sessions", "unlock", "force-password-change", "reset-second-factors")
_STATE_HELP = "active, awaiting_approval, suspended or deleting."


def _operator() -> str:
    """Return who types, for the audit trail: through sudo, who called it."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _in_the_database(*arguments: str) -> None:
    """Run the module that works with the database directly."""
    from imagefactory.entry.up import processes
    from imagefactory.entry.up import site as sites
    from imagefactory.entry.up.errors import StartError
    from imagefactory.kernel import env

    try:
        site = sites.Site(env.get(), sites.find_account(create=False))
        environment = {**processes.environment(site), "IMAGEFACTORY_PROCESS": "command"}
    except StartError as error:
        raise ApiFailure(str(error), 1) from None
    who: dict[str, Any] = {}
    # As whoever the data directory belongs to: a key file that root made there could not be read by the service.
    if os.geteuid() == 0 and site.data.is_dir() and (owner := site.data.stat()).st_uid != 0:
        who = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    found = subprocess.run(
        [sys.executable, "-m", "imagefactory.entry.up.system_roles", *arguments],
        env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **who,
    )  # fmt: skip
    if found.returncode:
        raise ApiFailure(found.stderr.strip() or "The process that asks the database ended.", found.returncode)
    say(found.stdout.rstrip("\n"))


@app.command()
@told
def grant(
    email: Annotated[str, typer.Argument(help="E-mail address of someone who has an account.")],
    role: Annotated[str, typer.Argument(help="administrator, read_only_administrator or security_reviewer.")],
    *,
    reason: Reason = "Granted on the command line.",
) -> None:
    """Give a person a system role, in the database of this machine: so the first administrator is made."""
    _in_the_database("grant", email, role, reason, _operator())


@app.command()
@told
def revoke(
    email: Annotated[str, typer.Argument(help="E-mail address of the person.")],
    role: Annotated[str, typer.Argument(help="administrator, read_only_administrator or security_reviewer.")],
    *,
    reason: Reason = "Revoked on the command line.",
) -> None:
    """Take a system role from a person; the last administrator keeps theirs."""
    _in_the_database("revoke", email, role, reason, _operator())


@app.command("list")
@told
def list_roles() -> None:
    """List who holds which system role, from the database of this machine."""
    _in_the_database("list")


@app.command()
@told
def tenants(
    *,
    search: Annotated[str, typer.Option(help="Part of a name or short name.")] = "",
    state: Annotated[str, typer.Option(help=_STATE_HELP)] = "",
    as_json: AsJson = False,
) -> None:
    """List all tenants of the installation."""
    found = connect().get("/admin/tenants", search=search, state=state, limit=200)
    if as_json:
        show_json(found)
        return
    rows = [
        (t["slug"], t["name"], t["state"], ", ".join(t["capabilities"]), t["members"], moment(t["created_at"]))
        for t in found["items"]
    ]
    show_table(("tenant", "name", "state", "capabilities", "members", "made"), rows, empty="No tenant matches.")


def _act(tenant: str, action: str, reason: str, done: str) -> None:
    connect().post(f"/admin/tenants/{tenant}/{action}", {"reason": reason})
    say(done)


Tenant = Annotated[str, typer.Argument(help="Short name or id of the tenant.")]


@app.command()
@told
def approve(tenant: Tenant, *, reason: Reason) -> None:
    """Approve a tenant that waits for it."""
    _act(tenant, "approve", reason, f"Tenant {tenant} is approved.")


@app.command()
@told
def refuse(tenant: Tenant, *, reason: Reason) -> None:
    """Refuse a tenant that waits for approval."""
    _act(tenant, "refuse", reason, f"Tenant {tenant} is refused.")


@app.command()
@told
def suspend(tenant: Tenant, *, reason: Reason) -> None:
    """Suspend a tenant: reads go on, writes stop, running builds finish, queued ones wait."""
    _act(tenant, "suspend", reason, f"Tenant {tenant} is suspended.")


@app.command()
@told
def lift(tenant: Tenant, *, reason: Reason) -> None:
    """Lift the suspension of a tenant."""
    _act(tenant, "lift", reason, f"Tenant {tenant} is active again.")


@app.command()
@told
def capability(
    name: Annotated[
        str, typer.Argument(help="build, quarantine_request, quarantine_release or ondemand_image_scanning.")
    ],
    switch: Annotated[str, typer.Argument(help="on or off.")],
    tenants: Annotated[list[str], typer.Argument(help="Short names or ids of the tenants; all or none are switched.")],
    *,
    reason: Reason,
) -> None:
    """Switch a capability of one or several tenants."""
    if switch not in {"on", "off"}:
        raise ApiFailure(f'"{switch[:20]}" is neither on nor off.', USAGE)
    body = {"tenants": tenants, "capabilities": {name: switch == "on"}, "reason": reason}
    moved = connect().call("PUT", "/admin/capabilities", json=body)["moved"]
    say(f"{name} is {switch} for {len(tenants)} tenant(s); {moved} switched just now.")


@app.command()
@told
def users(
    *,
    search: Annotated[str, typer.Option(help="Part of a name or e-mail address.")] = "",
    state: Annotated[str, typer.Option(help="active or suspended.")] = "",
    as_json: AsJson = False,
) -> None:
    """List all people of the installation."""
    found = connect().get("/admin/users", search=search, state=state, limit=200)
    if as_json:
        show_json(found)
        return
    rows = [
        (
            p["id"],
            p["email"],
            p["name"],
            "active" if p["active"] else "suspended",
            ", ".join(p["system_roles"]),
            p["tenants"],
        )
        for p in found["items"]
    ]
    show_table(("id", "e-mail", "name", "state", "system roles", "tenants"), rows, empty="Nobody matches.")


@app.command()
@told
def user(
    action: Annotated[str, typer.Argument(help=f"One of {', '.join(ACCOUNT_ACTIONS)}.")],
    user_id: Annotated[str, typer.Argument(help="Id of the person, from `admin users`.")],
    *,
    reason: Reason,
) -> None:
    """Suspend or restore an account, end its sessions, or help with signing in."""
    if action not in ACCOUNT_ACTIONS:
        raise ApiFailure(f'"{action[:20]}" is none of {", ".join(ACCOUNT_ACTIONS)}.', NOT_FOUND)
    connect().post(f"/admin/users/{as_uuid(user_id, 'person')}/{action}", {"reason": reason})
    say("Done.")
