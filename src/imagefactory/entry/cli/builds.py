"""Builds: submit, check, list, show, follow, cancel and run again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from imagefactory.entry.cli.client import CONFLICT, USAGE, ApiFailure, Client, as_uuid, connect, explain, told
from imagefactory.entry.cli.follow import EXIT, LogPrinter, follow, follow_log, verdict, waiting
from imagefactory.entry.cli.projects import read_text, upload
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import (
    complain,
    duration,
    moment,
    plain,
    say,
    show_fields,
    show_json,
    show_table,
    stage_rows,
)  # fmt: skip

app = typer.Typer(no_args_is_help=True, help="Builds.")

BuildId = Annotated[str, typer.Argument(metavar="BUILD", help="Id of the build, from `build list`.")]
Project = Annotated[str, typer.Argument(help="Slug or id; may be left out where you have one project.")]
DockerfileOption = Annotated[Path | None, typer.Option(help="Build this Dockerfile; with --archive, over that source.")]
ArchiveOption = Annotated[Path | None, typer.Option(help="Upload and build this .tar, .tar.gz, .tar.xz or .zip.")]
RefOption = Annotated[str, typer.Option(help="Branch, tag or commit of the project's repository.")]
TagOption = Annotated[list[str] | None, typer.Option(help="Tag of the image; repeat for more.")]
ArgOption = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Build argument; repeat for more.")]
SecretOption = Annotated[list[str] | None, typer.Option(help="Name of a project secret to hand in; repeat.")]
NameOption = Annotated[str, typer.Option(help="Name of the build, for people.")]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Show the log until the build has finished.")]


def _project(client: Client, asked: str) -> str:
    if asked:
        return asked
    mine = client.get("/projects", limit=2)["items"]
    if len(mine) != 1:
        raise ApiFailure("Say which project to build: imagefactory build submit PROJECT.", USAGE)
    return str(mine[0]["slug"])


def _manifest(
    client: Client, project: str, dockerfile: Path | None, archive: Path | None, ref: str,
    tag: list[str] | None, arg: list[str] | None, secret: list[str] | None, name: str,
) -> dict[str, Any]:  # fmt: skip
    """Return the manifest that the options ask for; what they leave out the project fills in."""
    if ref and (dockerfile or archive):
        raise ApiFailure(
            "--ref names a commit of the repository, so it goes with neither --archive nor --dockerfile.",
            USAGE,
        )
    found: dict[str, Any] = {}
    pairs = [text.partition("=") for text in arg or []]
    if wrong := [key for key, sign, _ in pairs if not sign or not key]:
        raise ApiFailure(f'--arg is NAME=VALUE; "{wrong[0]}" has no "=" or no name.', USAGE)
    if dockerfile is not None:
        found |= {"source": {"kind": "inline"}, "dockerfile": {"inline": read_text(dockerfile)}}
    if archive is not None:
        made = upload(client, project, archive)
        found["source"] = {"kind": "archive", "blob": made["digest"], "filename": made["filename"]}
    if ref:
        found["source"] = {"kind": "git", "ref": ref}
    given = {
        "tags": tag,
        "build_args": {key: value for key, _, value in pairs},
        "secrets": secret,
        "name": name,
    }
    return found | {key: value for key, value in given.items() if value}


@app.command()
@told
def submit(
    project: Project = "", *, dockerfile: DockerfileOption = None, archive: ArchiveOption = None,
    ref: RefOption = "", tag: TagOption = None, arg: ArgOption = None,
    secret: SecretOption = None, name: NameOption = "",
    follow_it: FollowOption = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only check; queue nothing.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Submit a build. With --follow the exit status is 0 succeeded, 1 failed, 130 cancelled."""
    client = connect()
    project = _project(client, project)
    manifest = _manifest(client, project, dockerfile, archive, ref, tag, arg, secret, name)
    if dry:
        _check(client, project, manifest, as_json=as_json)
        return
    build = client.create("/builds", {"project": project, "manifest": manifest})
    _after(client, build, follow_it=follow_it, as_json=as_json)


@app.command("dry-run")
@told
def dry_run(
    project: Project = "", *, dockerfile: DockerfileOption = None, archive: ArchiveOption = None,
    ref: RefOption = "", tag: TagOption = None, arg: ArgOption = None,
    secret: SecretOption = None, name: NameOption = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Check a build without queueing anything; exit status 5 when it would not be accepted."""
    client = connect()
    project = _project(client, project)
    manifest = _manifest(client, project, dockerfile, archive, ref, tag, arg, secret, name)
    _check(client, project, manifest, as_json=as_json)


def _check(client: Client, project: str, manifest: dict[str, Any], *, as_json: bool) -> None:
    result = client.post("/builds/dry-run", {"project": project, "manifest": manifest})
    if as_json:
        show_json(result)
    else:
        rows = [(c["level"], c["name"], c["message"], c["remedy"]) for c in result["checks"]]
        show_table(("result", "check", "what", "what to do"), rows, empty="Nothing to say.")
    if not result["ok"]:
        if not as_json:
            complain("This build would not be accepted.")
        raise typer.Exit(CONFLICT)
    if not as_json:
        say("This build would be accepted. Nothing was queued.")


def _after(client: Client, build: dict[str, Any], *, follow_it: bool, as_json: bool) -> None:
    """Say what was started and, when asked, follow it to its end and take its exit status."""
    if not follow_it:
        if as_json:
            show_json(build)
        else:
            say(f"Build {build['number']} is {build['status']}: {build['id']}")
            say(waiting(build) or build["url"])
        return
    if not as_json:
        say(f"Build {build['number']}: {build['url']}")
    quiet = complain if as_json else say
    try:
        # With --json standard output is for the answer alone, so the log goes to standard error.
        done = follow(client, build["id"], LogPrinter(quiet), quiet)
    except KeyboardInterrupt:
        complain(f"Stopped following; the build goes on. Cancel it with: imagefactory build cancel {build['id']}")
        raise typer.Exit(130) from None
    if as_json:
        show_json(done)
    else:
        say(verdict(done))
    raise typer.Exit(EXIT[done["status"]])


@app.command("list")
@told
def list_builds(
    *,
    project: Annotated[str, typer.Option(help="Only of this project.")] = "",
    status: Annotated[str, typer.Option(help="Draft, Queued, Running, Succeeded, Failed or Cancelled.")] = "",
    text: Annotated[str, typer.Option(help="Only those with this in name, message, commit or number.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only those you started.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to show.")] = 20,
    cursor: Annotated[str, typer.Option(help="Go on where a list ended.")] = "",
    as_json: AsJson = False,
) -> None:
    """List builds, newest first."""
    cursor = as_uuid(cursor, "build") if cursor else ""
    found = connect().get(
        "/builds", project=project, status=status.lower(), text=text, mine=mine, limit=limit, cursor=cursor
    )
    if as_json:
        show_json(found)
        return
    rows = [
        (
            b["number"], b["status"].capitalize(), b["name"], b["created_by_name"], moment(b["created_at"]),
            duration(b["started_at"], b["finished_at"]), b["id"],
        )
        for b in found["items"]
    ]  # fmt: skip
    show_table(("build", "status", "name", "by", "submitted", "took", "id"), rows, empty="No build matches.")
    if found["next_cursor"]:
        say(f"More: --cursor {found['next_cursor']}")


@app.command()
@told
def show(build: BuildId, *, as_json: AsJson = False) -> None:
    """Show a build with its stages."""
    client, build_id = connect(), as_uuid(build, "build")
    found = client.get(f"/builds/{build_id}")
    if as_json:
        show_json(found)
        return
    failure, image = found["failure"], found["image"]
    show_fields(
        [
            ("build", found["number"]), ("name", found["name"]), ("status", found["status"].capitalize()),
            ("waits", waiting(found)), ("method", found["method"]), ("ref", found["ref"]),
            ("commit", found["commit"]),
            ("started by", found["created_by_name"]), ("submitted", moment(found["created_at"])),
            ("took", duration(found["started_at"], found["finished_at"])), ("attempts", found["attempts"]),
            ("failed because", failure.get("message")), ("image", image.get("reference")),
            ("digest", image.get("digest")), ("page", found["url"]),
        ]
    )  # fmt: skip
    if stages := client.get(f"/builds/{build_id}/status")["stages"]:
        say()
        show_table(("stage", "status", "took", "what"), stage_rows(stages), empty="")


@app.command()
@told
def logs(
    build: BuildId,
    *,
    follow_it: FollowOption = False,
    raw: Annotated[bool, typer.Option("--raw", help="The log as it is, without numbers and headings.")] = False,
    attempt: Annotated[int | None, typer.Option(min=1, max=32_767, help="Which attempt; else the last.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the log of a build."""
    client, build_id = connect(), as_uuid(build, "build")
    if sum((follow_it, raw, as_json)) > 1:
        raise ApiFailure("Give at most one of --follow, --raw and --json.", USAGE)
    if raw:
        _raw(client, build_id, attempt)
    elif as_json:
        show_json(client.get(f"/builds/{build_id}/logs", attempt=attempt, limit=10_000))
    elif follow_it and attempt is None:
        _after(client, client.get(f"/builds/{build_id}"), follow_it=True, as_json=False)
    elif follow_it:
        follow_log(client, build_id, attempt, LogPrinter())
    else:
        _print(client, build_id, attempt)


def _print(client: Client, build_id: str, attempt: int | None) -> None:
    """Print what is in the log now, page by page."""
    show, last = LogPrinter(), 0
    while lines := client.get(f"/builds/{build_id}/logs", attempt=attempt, after=last, limit=10_000)["lines"]:
        for line in lines:
            show(line)
        last = lines[-1][0]


def _raw(client: Client, build_id: str, attempt: int | None) -> None:
    """Copy the whole log to standard output; for a terminal without control codes, else byte for byte."""
    params = {"attempt": attempt} if attempt else None
    with client.stream(f"/builds/{build_id}/logs/raw", headers={}, params=params) as response:
        if response.is_error:
            response.read()
            raise explain(response)
        if sys.stdout.isatty():
            for line in response.iter_lines():
                sys.stdout.write(plain(line) + "\n")
        else:
            for piece in response.iter_bytes():
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()


@app.command()
@told
def cancel(build: BuildId, *, as_json: AsJson = False) -> None:
    """Cancel a build: at once while it waits, within seconds while it runs."""
    found = connect().post(f"/builds/{as_uuid(build, 'build')}/cancel")
    if as_json:
        show_json(found)
    else:
        ended = found["status"] == "cancelled"
        say(f"Build {found['number']} is cancelled." if ended else f"Build {found['number']} is being stopped.")


@app.command()
@told
def retry(build: BuildId, *, follow_it: FollowOption = False, as_json: AsJson = False) -> None:
    """Run a finished build again, as a new attempt."""
    client = connect()
    found = client.post(f"/builds/{as_uuid(build, 'build')}/retry")
    _after(client, found, follow_it=follow_it, as_json=as_json)
