"""The audit trail: list and export it over the API; check it, and change its signing key, on the factory's machine."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
import uuid
from typing import Annotated, Any

import typer

from imagefactory.entry.cli.client import USAGE, ApiFailure, connect, explain, told
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import complain, moment, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="The audit trail: read it, hand it out, check that nobody changed it.")

Since = Annotated[str, typer.Option(help="From this time on, such as 2026-11-25 or 2026-11-25T08:00:00Z.")]
Until = Annotated[str, typer.Option(help="Before this time.")]
User = Annotated[str, typer.Option(help="Id of a person or key, e-mail address, or words of a name.")]
Action = Annotated[str, typer.Option(help="Type of event, or its beginning, such as build.started or build.")]
Project = Annotated[str, typer.Option(help="Of this project; of all tenants, its id.")]
Resource = Annotated[str, typer.Option(help="Id of the object.")]
Result = Annotated[str, typer.Option(help="done, refused or failed.")]
Address = Annotated[str, typer.Option(help="Address that the request came from.")]
Text = Annotated[str, typer.Option(help="Words; the beginning of one ends with *.")]
Everything = Annotated[
    bool, typer.Option("--all-tenants", help="Of the whole installation; for system administrators.")
]


def _filters(**given: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


@app.command("list")
@told
def list_entries(
    *,
    since: Since = "",
    until: Until = "",
    user: User = "",
    action: Action = "",
    project: Project = "",
    resource: Resource = "",
    result: Result = "",
    address: Address = "",
    text: Text = "",
    everything: Everything = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to show.")] = 50,
    cursor: Annotated[str, typer.Option(help="Go on where a list ended.")] = "",
    as_json: AsJson = False,
) -> None:
    """List entries, newest first."""
    wanted = _filters(
        since=since, until=until, user=user, action=action, project=project, resource=resource, result=result,
        address=address, text=text,
    )  # fmt: skip
    found = connect().get("/admin/audit" if everything else "/audit", **wanted, limit=limit, cursor=cursor)
    if as_json:
        show_json(found)
        return
    show_table(
        ("time", "who", "action", "object", "result", "address", "request"), map(_row, found["items"]),
        empty="No entry fits.",
    )  # fmt: skip
    if found["next_cursor"]:
        about = "about " if found["total_is_estimate"] else ""
        say(f"Of {about}{found['total']:,}. More: --cursor {found['next_cursor']}")


def _row(e: dict[str, Any]) -> tuple[object, ...]:
    named = " ".join(part for part in (e["object_kind"], e["object_label"] or e["object_id"]) if part)
    return (
        moment(e["occurred_at"]), e["actor_email"] or e["actor_name"], e["type"], named, e["result"], e["address"],
        e["request_id"],
    )  # fmt: skip


@app.command()
@told
def export(
    *,
    form: Annotated[str, typer.Option("--format", help="csv, json or jsonl.")] = "csv",
    since: Since = "",
    until: Until = "",
    user: User = "",
    action: Action = "",
    project: Project = "",
    resource: Resource = "",
    result: Result = "",
    address: Address = "",
    text: Text = "",
    everything: Everything = False,
) -> None:
    """Write all entries that fit to standard output, as they come. The export is itself an entry."""
    wanted = _filters(
        since=since, until=until, user=user, action=action, project=project, resource=resource, result=result,
        address=address, text=text,
    )  # fmt: skip
    path = "/admin/audit/export" if everything else "/audit/export"
    with connect().stream(path, headers={}, params={**wanted, "format": form}) as response:
        if response.is_error:
            response.read()
            raise explain(response)
        complain(f"{int(response.headers.get('X-Total-Count', '0')):,} entries.")
        for piece in response.iter_bytes():
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _time(text: str, what: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ApiFailure(f"{what} takes a time such as 2026-11-25 or 2026-11-25T08:00:00Z.", USAGE) from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _database() -> str:
    """Return the database's address for one who reads every tenant: of the embedded server, with its role for that."""
    from psycopg.conninfo import make_conninfo

    from imagefactory.kernel import pg

    tests = os.environ.get("IMAGEFACTORY_TEST_DATABASE_URL")
    return make_conninfo("", **pg.parameters(tests or pg.url("command")))


@app.command()
@told
def verify(
    *,
    tenant: Annotated[str, typer.Option(help="Slug or id of one tenant; `installation` for what has none.")] = "",
    since: Annotated[str, typer.Option("--from", help="Only entries from this time on.")] = "",
    until: Annotated[str, typer.Option("--to", help="Only entries before this time.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check every entry, chain and signature, on the factory's machine. Exit status: 0 whole, 1 something is wrong."""
    import dataclasses

    import psycopg

    from imagefactory.domain.audit.services.verify import verify as check
    from imagefactory.kernel import env

    began = time.monotonic()
    try:
        with psycopg.connect(_database(), connect_timeout=5, application_name="audit-verify") as database:
            database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            database.read_only = True
            chain = _chain(database, tenant)
            report = check(
                database, env.get().data_dir, tenant=chain, since=_time(since, "--from"), until=_time(until, "--to")
            )
    except psycopg.OperationalError as error:
        raise ApiFailure(
            f"The database does not answer: {error}. Run this on the factory's machine, while it is up."
        ) from None
    seconds = time.monotonic() - began
    if as_json:
        document = dataclasses.asdict(report) | {"whole": not report.problems, "seconds": round(seconds, 1)}
        document["problems"] = [dataclasses.asdict(p) | {"sentence": p.sentence()} for p in report.problems]
        show_json(_plain(document))
        raise typer.Exit(1 if report.problems else 0)
    say(
        f"{report.rows:,} entries in {report.chains:,} chains and {report.checkpoints:,} checkpoints were read in "
        f"{seconds:.1f} s ({report.rows / max(seconds, 0.001):,.0f} entries/s)."
    )
    if report.removed:
        said = f"{report.removed_until:%Y-%m-%d}" if report.removed_until else "then"
        say(f"{report.removed:,} rows until {said} were removed by retention, as signed checkpoints say.")
    for problem in report.problems[:50]:
        complain(problem.sentence())
    if report.problems:
        raise typer.Exit(1)
    say("The trail is whole: nothing was changed, deleted, inserted or swapped.")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return (
        value.isoformat() if isinstance(value, dt.datetime) else str(value) if isinstance(value, uuid.UUID) else value
    )


def _chain(database: Any, tenant: str) -> uuid.UUID | None:
    if not tenant:
        return None
    if tenant == "installation":
        return uuid.UUID(int=0)
    try:
        return uuid.UUID(tenant)
    except ValueError:
        found = database.execute("select id from identity_tenant where slug = %s", [tenant]).fetchone()
    if found is None:
        raise ApiFailure(f"There is no tenant {tenant}. Give its short name or id, or `installation`.", USAGE)
    return uuid.UUID(str(found[0]))


@app.command("rotate-key")
@told
def rotate_key() -> None:
    """Sign checkpoints with a new key from now on, on the factory's machine; the old public key stays for `verify`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagefactory.settings.django")
    import django

    django.setup()
    from imagefactory.domain.audit.services.checkpoints import rotate_key as rotate
    from imagefactory.kernel import env
    from imagefactory.kernel.actor import system

    old, new = rotate(system("command line"), env.get().data_dir)
    say(f"Checkpoints are signed with {new} from now on, and no longer with {old}.")
