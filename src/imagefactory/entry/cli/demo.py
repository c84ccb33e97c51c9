"""`imagefactory demo`: a first build through the public API, pulled back, compared by its digest, and run."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import secrets
import tarfile
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer

import imagefactory
from imagefactory.adapters.registries import skopeo
from imagefactory.entry.cli import credentials, run_image
from imagefactory.entry.cli.bases import bases_of, ensure_base_images, is_there
from imagefactory.entry.cli.client import CONFLICT, NOT_FOUND, REFUSED, USAGE, ApiFailure, Client, told
from imagefactory.entry.cli.follow import EXIT, LogPrinter, follow, verdict
from imagefactory.entry.cli.projects import project_path
from imagefactory.entry.cli.tables import complain, say
from imagefactory.kernel import env
from imagefactory.kernel.env import Settings

app = typer.Typer()

EMAIL: Final = "demo@example.com"
_NAME: Final = "hello-web"
_LARGEST: Final = 16 * 1024 * 1024  # bytes of the example's files together
_MOST_FILES: Final = 1000


def pack(directory: Path) -> bytes:
    """Return the directory as a tar.gz; the same files give the same bytes.

    Raises ApiFailure when it is not there or too large.
    """
    if not (directory / "Dockerfile").is_file():
        raise ApiFailure(f"{directory} holds no Dockerfile. Give the example's directory with --example.", USAGE)
    files = [
        p for p in sorted(directory.rglob("*")) if p.is_file() and not p.is_symlink() and "__pycache__" not in p.parts
    ]
    if len(files) > _MOST_FILES or sum(p.stat().st_size for p in files) > _LARGEST:
        raise ApiFailure(f"{directory} is too large for the demo: at most {_MOST_FILES} files and 16 MiB.", USAGE)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as out, tarfile.open(fileobj=out, mode="w") as tar:
        for path in files:
            entry = tarfile.TarInfo(path.relative_to(directory).as_posix())
            entry.size, entry.mode = path.stat().st_size, 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as content:
                tar.addfile(entry, content)
    return packed.getvalue()


def sign_in(settings: Settings) -> tuple[Client, str]:
    """Return a client that is signed in as the demo owner, and the password; the first run signs up.

    Raises ApiFailure.
    """
    place = settings.data_dir / "secrets" / "demo.json"
    client = Client(settings.public_url)
    password = _stored(place)
    if password is None:
        password = secrets.token_urlsafe(18)
        try:
            # Stored first: an account whose password nobody knows could never be entered again.
            credentials.write_private(place, json.dumps({"email": EMAIL, "password": password}))
        except OSError as error:
            raise ApiFailure(f"{place} cannot be written: {error.strerror}. Run this as the factory's user.") from None
    try:
        tokens = client.post("/auth/login", {"email": EMAIL, "password": password})
    except ApiFailure as failure:
        if failure.code != REFUSED:
            raise
        names = {"name": "Demo Owner", "tenant_name": "Demo", "tenant_slug": "demo"}
        tokens = client.post("/auth/signup", {**names, "email": EMAIL, "password": password})
    client.http.close()
    return Client(settings.public_url, token=tokens["access_token"]), password


def _stored(place: Path) -> str | None:
    try:
        return str(json.loads(place.read_text())["password"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ApiFailure(
            f"{place} cannot be read: {error.strerror}. Run this as the factory's user.", REFUSED
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ApiFailure(f"{place} is damaged. Remove it and use another data directory, or mend it.", USAGE) from None


def ensure_project(client: Client) -> str:
    """Return the slug of the demo's project, made when it is not there yet."""
    try:
        return str(client.get(project_path(_NAME))["slug"])
    except ApiFailure as failure:
        if failure.code != NOT_FOUND:
            raise
    return str(client.create("/projects", {"name": "Hello Web", "slug": _NAME})["slug"])


def submit(client: Client, project: str, archive: bytes) -> dict[str, Any]:
    """Upload the example, make it the project's source and submit a build of it."""
    files = {"archive": (f"{_NAME}.tar.gz", archive)}
    made = client.call("POST", project_path(project, "/uploads"), files=files)
    source = {"kind": "archive", "upload_id": made["id"], "dockerfile": "Dockerfile"}
    client.call("PUT", project_path(project, "/source"), json=source)
    build: dict[str, Any] = client.create(
        "/builds", {"project": project, "manifest": {"name": "demo", "tags": ["latest"]}}
    )
    return build


def built_before(settings: Settings, client: Client, project: str, archive: bytes) -> dict[str, Any] | None:
    """Return the newest build that succeeded, when it was of these very bytes and its image is still there."""
    found = client.get("/builds", project=project, status="succeeded", limit=1)["items"]
    if not found:
        return None
    build: dict[str, Any] = client.get(f"/builds/{found[0]['id']}")
    same = build["manifest"]["source"].get("blob") == f"sha256:{hashlib.sha256(archive).hexdigest()}"
    image = build["image"]
    return build if same and image and is_there(settings, image["path"], image["digest"]) else None


def pull_back(settings: Settings, image: dict[str, Any], key: str, layout: Path) -> str:
    """Pull the image by its digest into the OCI layout `layout`, and return the digest of what came.

    Raises ApiFailure.
    """
    reference = f"{image['reference']}@{image['digest']}"
    tls = settings.public_url.startswith("https://")
    try:
        return skopeo.pull(reference, settings.host, layout, password=key, tls=tls, seconds=600)
    except skopeo.CopyFailed as error:
        raise ApiFailure(f"The image was built, but could not be pulled: {error}") from None


def _key(client: Client) -> tuple[str, str]:
    """Return id and text of an API key that can only pull, for a day."""
    made = client.post(
        "/api-keys",
        {"name": "demo pull", "scopes": ["artifact:download", "artifact:view", "project:view"], "days": 1},
    )
    return str(made["id"]), str(made["key"])


@app.command()
@told
def demo(
    *,
    example: Annotated[Path | None, typer.Option(help="Directory to build; else examples/hello-web.")] = None,
    rebuild: Annotated[bool, typer.Option(help="Build again, also when nothing changed since the last build.")] = False,
) -> None:
    """Build the example on the running factory, pull the image back, compare its digest and ask it for its page."""
    settings = env.get()
    directory = example or Path(imagefactory.__file__).resolve().parents[2] / "examples" / _NAME
    archive = pack(directory)
    client, password = sign_in(settings)
    say(f"Signed in at {settings.public_url} as {EMAIL}.")
    dockerfile = (directory / "Dockerfile").read_text()
    ensure_base_images(settings, bases_of(dockerfile, settings.host), say)
    project = ensure_project(client)
    done = None if rebuild else built_before(settings, client, project, archive)
    if done is not None:
        say(f"Nothing changed since build {done['number']}: not built again. `imagefactory demo --rebuild` does.")
    else:
        done = _build(client, project, archive)
    with tempfile.TemporaryDirectory(prefix="if-demo-") as place:
        layout = Path(place) / "image"
        _compare(settings, client, done, layout)
        _run(done["image"], layout)
    say(f"Build page: {done['url']}")
    say(f"Sign in:    {settings.public_url}/login  {EMAIL}  {password}")


def _build(client: Client, project: str, archive: bytes) -> dict[str, Any]:
    build = submit(client, project, archive)
    say(f"Build {build['number']}: {build['url']}")
    try:
        done = follow(client, build["id"], LogPrinter(), say)
    except KeyboardInterrupt:
        complain(f"Stopped following; the build goes on. Watch it at {build['url']}")
        raise typer.Exit(130) from None
    say(verdict(done))
    if done["status"] != "succeeded":
        raise typer.Exit(EXIT[done["status"]])
    return done


def _compare(settings: Settings, client: Client, build: dict[str, Any], layout: Path) -> None:
    key_id, key = _key(client)
    try:
        say("Pulling the image back by its digest.")
        came, recorded = pull_back(settings, build["image"], key, layout), build["image"]["digest"]
    finally:
        client.call("DELETE", f"/api-keys/{key_id}")
    if came != recorded:
        raise ApiFailure(f"The pulled image has digest {came}, but the build recorded {recorded}.", CONFLICT)
    say(f"Digest:     {came} (pulled and recorded are equal)")


def _run(image: dict[str, Any], layout: Path) -> None:
    """Run what was pulled and ask it for its page; where the machine does not allow that, say so and how it goes.

    Raises ApiFailure when it ran and did not answer well.
    """
    try:
        answer = run_image.ask(layout, say)
    except run_image.NotRun as why:
        complain(f"The image was pulled and not run: {why}.")
        say(
            f"Run it where there is Docker or Podman: docker run --rm -p 8080:8080 {image['reference']}@{image['digest']}"
        )
        return
    except run_image.NoAnswer as error:
        raise ApiFailure(str(error), CONFLICT) from None
    if answer.status != httpx.codes.OK:
        raise ApiFailure(f"The image ran and answered {answer.status} for its page: {answer.first_line}", CONFLICT)
    say(f"Answer:     {answer.status} {answer.first_line} (from the running image)")
