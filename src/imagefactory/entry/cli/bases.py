"""Base images for a factory without an outside registry: made of Debian packages, kept as `library/...`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from imagefactory.adapters.registries import layout, skopeo
from imagefactory.adapters.registries.tokens import SERVICE, TokenIssuer, ensure_keys
from imagefactory.entry.cli.client import UNREACHABLE, ApiFailure
from imagefactory.kernel.env import Settings
from imagefactory.kernel.reference import LIBRARY, Reference, ReferenceInvalid
from imagefactory.kernel.reference import parse as parse_reference
from imagefactory.methods.dockerfile import parse

_SECONDS: Final = 1200  # for downloading and unpacking a base
_EPOCH: Final = "1700000000"  # the same packages give the same digest
_CREATED: Final = "2023-11-14T22:13:20Z"
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Recipe(NamedTuple):
    """What a base is made of: a Debian release, packages beyond its smallest system, and its command."""

    suite: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()  # (target, name) of symbolic links


# By tag, because a tag promises a version: Python 3.11 is what this release has, and no other.
RECIPES: Final = {
    "library/debian:12": Recipe("bookworm", ("ca-certificates",), ("bash",)),
    "library/python:3.11": Recipe(
        "bookworm", ("ca-certificates", "python3"), ("python3",), (("python3", "/usr/bin/python"),)
    ),
}


def bases_of(dockerfile: str, own_host: str) -> list[Reference]:
    """Return the bases of a Dockerfile that this factory's own `library` would serve."""
    found = []
    for image in parse(dockerfile).images(None):
        try:
            candidates = parse_reference(image.reference).candidates(own_host)
        except ReferenceInvalid:
            continue  # the dry run says it better
        found += [c for c in candidates if c.is_on(own_host) and c.repository.startswith(f"{LIBRARY}/")]
    return list(dict.fromkeys(found))


def ensure_base_images(settings: Settings, wanted: Iterable[Reference], progress: Callable[[str], None]) -> None:
    """Make those bases that the registry lacks and there is a recipe for; the build looks for the others.

    Raises ApiFailure.
    """
    for base in wanted:
        tag = base.tag or "latest"
        if is_there(settings, base.repository, tag):
            progress(f"Base image {base.repository}:{tag} is in the registry.")
        elif recipe := RECIPES.get(f"{base.repository}:{tag}"):
            progress(f"Making base image {base.repository}:{tag} of Debian packages, once; that takes some minutes.")
            digest = _make(settings, recipe, base.repository, tag, progress)
            progress(f"Base image {base.repository}:{tag} is {digest}")


def _grant(settings: Settings, repository: str, actions: list[str]) -> str:
    """Return a credential for one repository, signed with the installation's own key."""
    try:
        key, _ = ensure_keys(settings.data_dir / "secrets")
        return TokenIssuer(key).issue_grant("demo", repository, actions, ttl=_SECONDS)
    except OSError as error:
        raise ApiFailure(
            f"The registry's signing key below {settings.data_dir} cannot be read ({error.strerror}). "
            "Run this as the user who runs the factory."
        ) from None


def is_there(settings: Settings, repository: str, reference: str) -> bool:
    """Return whether the registry has this tag or digest, looked up with the installation's own key.

    Raises ApiFailure.
    """
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    scope = {"service": SERVICE, "scope": f"repository:{repository}:pull"}
    try:
        with httpx.Client(base_url=settings.public_url, timeout=30, trust_env=False) as http:
            auth = ("demo", _grant(settings, repository, ["pull"]))
            token = http.get("/registry/token", params=scope, auth=auth).raise_for_status().json()["token"]
            headers = {"Authorization": f"Bearer {token}", "Accept": accept}
            status = http.head(f"/v2/{repository}/manifests/{reference}", headers=headers).status_code
    except (httpx.HTTPError, ValueError, KeyError) as error:
        text = f"The registry at {settings.public_url} does not answer ({error}). See `imagefactory status`."
        raise ApiFailure(text, UNREACHABLE) from None
    if status not in {200, 404}:
        raise ApiFailure(
            f"The registry answered {status} for {repository}, {reference}. Look into its log.", UNREACHABLE
        )
    return status == httpx.codes.OK


def _make(settings: Settings, recipe: Recipe, repository: str, tag: str, progress: Callable[[str], None]) -> str:
    place = Path(tempfile.mkdtemp(prefix="if-base-"))
    try:
        tar, image = place / "root.tar", place / "image"
        _bootstrap(recipe, tar, progress)
        progress(f"        packing {tar.stat().st_size / 1_048_576:.0f} MiB and storing them in the registry")
        config = {
            "Cmd": list(recipe.command),
            "Env": [_PATH],
            "Labels": {"imagefactory.base": "debian packages"},
        }
        layout.write_from_tar(tar, image, config=config, created=_CREATED)
        return skopeo.push(
            image, "latest", f"{settings.host}/{repository}:{tag}", settings.host,
            password=_grant(settings, repository, ["pull", "push"]),
            tls=settings.public_url.startswith("https://"),
        )  # fmt: skip
    except skopeo.CopyFailed as error:
        raise ApiFailure(f"The base image could not be stored: {error}", UNREACHABLE) from None
    except OSError as error:
        raise ApiFailure(f"The base image could not be made: {error.strerror} ({error.filename}).") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _bootstrap(recipe: Recipe, tar: Path, progress: Callable[[str], None]) -> None:
    """Let mmdebstrap write a root file system of this machine's own Debian release and package sources.

    Raises ApiFailure.
    """
    _check_release(recipe)
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.sources"))]
    mirrors = [str(s) for s in sources if s.is_file() and s.stat().st_size]
    links = [f'--customize-hook=ln -sf {target} "$1{name}"' for target, name in recipe.links]
    argv = [
        "mmdebstrap", "--variant=minbase", f"--include={','.join(recipe.packages)}",
        '--aptopt=Acquire::Retries "3"', "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*", *links, recipe.suite, str(tar), *mirrors,
    ]  # fmt: skip
    try:
        code, said = _told(argv, progress)
    except FileNotFoundError:
        raise ApiFailure("mmdebstrap is not installed. `imagefactory doctor` says how.") from None
    if code is None:
        raise ApiFailure(f"Making the base image took longer than {_SECONDS} seconds and was stopped.")
    if code:
        raise ApiFailure(f"mmdebstrap could not make the base image: {said[-300:] or 'no reason given'}")


def _told(argv: list[str], progress: Callable[[str], None]) -> tuple[int | None, str]:
    """Run mmdebstrap, pass on what it is at with the seconds so far, and return its exit status and last words.

    The status is None when it took too long.
    """
    start, late, last = time.monotonic(), threading.Event(), ""
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH}, start_new_session=True,
    ) as running:  # fmt: skip

        def stop() -> None:
            late.set()
            running.terminate()  # it removes its own temporary directory

        limit = threading.Timer(_SECONDS, stop)
        limit.start()
        try:
            for line in running.stderr or ():
                last = line.strip() or last
                if line.startswith("I: "):
                    progress(f"{time.monotonic() - start:6.0f} s {line.removeprefix('I: ').strip()[:100]}")
        except BaseException:
            running.terminate()
            raise
        finally:
            limit.cancel()
    return (None if late.is_set() else running.returncode), last


def _check_release(recipe: Recipe) -> None:
    """Refuse to mix this machine's package sources with another release.

    Raises ApiFailure.
    """
    try:
        here = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        here = ""
    if here != recipe.suite:
        raise ApiFailure(
            f"This base image is made of Debian {recipe.suite}, and this machine has {here or 'no known release'}. "
            "Push a base image to the library yourself, or run the demo on that release."
        )
