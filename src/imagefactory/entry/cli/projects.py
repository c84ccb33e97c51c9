"""Projects: list, create, show, set the source, add secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from imagefactory.entry.cli.client import NOT_FOUND, USAGE, ApiFailure, Client, connect, told
from imagefactory.entry.cli.session import AsJson, read_secret
from imagefactory.entry.cli.tables import moment, say, show_fields, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Projects and their source.")
secrets = typer.Typer(no_args_is_help=True, help="Build secrets and credentials of a project.")
app.add_typer(secrets, name="secret")

MAX_DOCKERFILE = 200_000  # characters; the API's bound for a project's own Dockerfile

Slug = Annotated[str, typer.Argument(help="Slug or id of the project.")]


def project_path(project: str, rest: str = "") -> str:
    """Return the API path of a project; a name with a slash stays one piece of it."""
    return f"/projects/{quote(project, safe='')}{rest}"


def read_text(file: Path) -> str:
    """Return the text of a small file.

    Raises ApiFailure.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_DOCKERFILE * 4 + 1).decode()
    except OSError as error:
        raise ApiFailure(f"{file} cannot be read: {error.strerror}.", USAGE) from None
    except UnicodeDecodeError:
        raise ApiFailure(f"{file} is not text in UTF-8.", USAGE) from None
    if len(text) > MAX_DOCKERFILE:
        raise ApiFailure(f"{file} has more than {MAX_DOCKERFILE:,} characters. Is it a Dockerfile?", USAGE)
    return text


def upload(client: Client, project: str, file: Path) -> dict[str, Any]:
    """Upload a source archive and return what the API says about it.

    Raises ApiFailure.
    """
    try:
        with file.open("rb") as content:
            made: dict[str, Any] = client.call(
                "POST",
                project_path(project, "/uploads"),
                files={"archive": (file.name, content)},
                timeout=600,
            )
    except OSError as error:
        raise ApiFailure(f"{file} cannot be read: {error.strerror}.", USAGE) from None
    return made


@app.command("list")
@told
def list_projects(
    *,
    search: Annotated[str, typer.Option(help="Only names with this text.")] = "",
    archived: Annotated[bool, typer.Option("--archived", help="Show archived projects.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to show.")] = 50,
    cursor: Annotated[str, typer.Option(help="Go on where a list ended.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the projects that you may see."""
    found = connect().get("/projects", search=search, archived=archived, limit=limit, cursor=cursor)
    if as_json:
        show_json(found)
        return
    rows = [(p["slug"], p["name"], p["source_kind"] or "none", moment(p["updated_at"])) for p in found["items"]]
    show_table(
        ("project", "name", "source", "changed"),
        rows,
        empty="No project yet. Make one: imagefactory project create NAME",
    )
    if found["next_cursor"]:
        say(f"More: --cursor {found['next_cursor']}")


@app.command()
@told
def create(
    name: Annotated[str, typer.Argument(help="Name for people.")],
    *,
    slug: Annotated[str, typer.Option(help="Short name in addresses and images; else made of the name.")] = "",
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create a project."""
    made = connect().create("/projects", {"name": name, "slug": slug, "description": description})
    _show(made, as_json=as_json)


@app.command()
@told
def show(project: Slug, *, as_json: AsJson = False) -> None:
    """Show a project."""
    _show(connect().get(project_path(project)), as_json=as_json)


def _show(project: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(project)
        return
    source = {k: v for k, v in project["source"].items() if k != "dockerfile_text"}
    show_fields(
        [
            ("project", project["slug"]), ("name", project["name"]), ("description", project["description"]),
            ("source", project["source_kind"] or "none"), *source.items(),
            ("archived", "yes" if project["archived"] else ""), ("created", moment(project["created_at"])),
            ("changed", moment(project["updated_at"])),
        ]
    )  # fmt: skip


@app.command("set-source")
@told
def set_source(
    project: Slug,
    *,
    git: Annotated[str, typer.Option(help="Address of a repository.", metavar="URL")] = "",
    ref: Annotated[str, typer.Option(help="Branch or tag, with --git.")] = "",
    archive: Annotated[Path | None, typer.Option(help="A .tar, .tar.gz, .tar.xz or .zip to upload.")] = None,
    dockerfile: Annotated[Path | None, typer.Option(help="A Dockerfile that is all of the source.")] = None,
    dockerfile_path: Annotated[str, typer.Option(help="Where the Dockerfile lies in the source.")] = "",
    context: Annotated[str, typer.Option(help="Which directory of the source is built.")] = "",
    credential: Annotated[str, typer.Option(help="Name of the credential for the repository.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say where builds take their source from: exactly one of --git, --archive and --dockerfile."""
    if sum((bool(git), archive is not None, dockerfile is not None)) != 1:
        raise ApiFailure("Give exactly one of --git, --archive and --dockerfile.", USAGE)
    client = connect()
    body: dict[str, Any] = {"dockerfile": dockerfile_path, "context": context}
    if git:
        body |= {"kind": "git", "url": git, "ref": ref}
        if credential:
            body["credential_id"] = _credential_id(client, project, credential)
    elif archive is not None:
        body |= {"kind": "archive", "upload_id": upload(client, project, archive)["id"]}
    elif dockerfile is not None:
        body |= {"kind": "inline", "dockerfile_text": read_text(dockerfile)}
    _show(client.call("PUT", project_path(project, "/source"), json=body), as_json=as_json)


def _credential_id(client: Client, project: str, name: str) -> str:
    known = client.get(project_path(project, "/credentials"))
    found = next((str(c["id"]) for c in known if name in {c["name"], c["id"]}), None)
    if found is None:
        raise ApiFailure(f"The project has no credential {name}. Add it: imagefactory project secret add.", NOT_FOUND)
    return found


@secrets.command("add")
@told
def add_secret(
    project: Slug,
    name: Annotated[str, typer.Argument(help="Name of the secret, as builds ask for it.")],
    *,
    kind: Annotated[str, typer.Option(help="build_secret, git_password or git_ssh_key")] = "build_secret",
    username: Annotated[str, typer.Option(help="User name that goes with a git_password.")] = "",
    as_json: AsJson = False,
) -> None:
    """Store a secret; its value comes from standard input and cannot be read back."""
    client = connect()
    body = {"name": name, "kind": kind, "secret": read_secret(f"Value of {name}"), "username": username}
    made = client.post(project_path(project, "/credentials"), body)
    if as_json:
        show_json(made)
    else:
        say(f"Stored {name}. Its value cannot be read back.")


@secrets.command("list")
@told
def list_secrets(project: Slug, *, as_json: AsJson = False) -> None:
    """List the names of a project's secrets, never their values."""
    found = connect().get(project_path(project, "/credentials"))
    if as_json:
        show_json(found)
        return
    rows = [(c["name"], c["kind"], c["created_by_name"], moment(c["last_used_at"])) for c in found]
    show_table(("name", "kind", "made by", "last used"), rows, empty="No secret yet.")
