"""Who is signed in on this machine: the session file (mode 0600) and the environment before it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

# A client's own three variables; the factory's settings (kernel/env.py) are of the machine that runs it.
URL: Final = "IMAGEFACTORY_URL"
TOKEN: Final = "IMAGEFACTORY_TOKEN"  # noqa: S105 - the name of a variable
TENANT: Final = "IMAGEFACTORY_TENANT"
DEFAULT_URL: Final = "http://localhost:3000"
_LARGEST: Final = 64 * 1024


class CredentialsUnusable(Exception):
    """The session file or a variable cannot be used; the message says which and what to do."""


class Session(NamedTuple):
    """A sign-in at one factory. `access_ends` is in seconds since 1970."""

    url: str
    access_token: str
    access_ends: float
    refresh_token: str = ""
    tenant: str = ""

    @classmethod
    def from_tokens(cls, url: str, tokens: Mapping[str, Any], *, tenant: str = "") -> Self:
        """Return the session that an answer of the sign-in routes stands for."""
        ends = time.time() + float(tokens["expires_in"])
        return cls(url, str(tokens["access_token"]), ends, str(tokens["refresh_token"]), tenant)


def path() -> Path:
    """Return where the session is kept."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "imagefactory" / "session.json"


def check_url(url: str) -> str:
    """Return the address without a final slash.

    Raises CredentialsUnusable.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or "@" in parts.netloc:
        raise CredentialsUnusable(
            f'"{url[:200]}" is not the address of a factory; it looks like https://factory.example.com.'
        )
    return url.rstrip("/")


def load() -> Session | None:
    """Return the stored session, or None.

    Raises CredentialsUnusable when the file is not one.
    """
    try:
        with path().open("rb") as file:
            text = file.read(_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CredentialsUnusable(f"{path()} cannot be read: {error.strerror}.") from None
    try:
        return Session(**json.loads(text))
    except (ValueError, TypeError):
        raise CredentialsUnusable(f"{path()} is damaged. Sign in again with `imagefactory login`.") from None


def save(session: Session) -> None:
    """Store the session for this user alone; the old file stays whole until the new one is complete."""
    target = path()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = target.with_name(f"session.{os.getpid()}.tmp")
        write_private(draft, json.dumps(session._asdict()))
        draft.replace(target)
    except OSError as error:
        raise CredentialsUnusable(f"{target} cannot be written: {error.strerror}.") from None


def write_private(target: Path, text: str) -> None:
    """Write a new file that only its owner may read, from its first byte on."""
    target.unlink(missing_ok=True)
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)


def forget() -> None:
    """Remove the stored session."""
    path().unlink(missing_ok=True)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold the session against other processes of this user."""
    place = path().with_suffix(".lock")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CredentialsUnusable(f"{place} cannot be made: {error.strerror}.") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def tenant_from_environment() -> str:
    return os.environ.get(TENANT, "")


def choose() -> tuple[str, Session | None, str]:
    """Return the address, the stored session and the token to use.

    A session belongs to the factory that gave it: with another address in IMAGEFACTORY_URL it is not sent.
    """
    token = os.environ.get(TOKEN, "").strip()
    asked = os.environ.get(URL, "").strip()
    session = None if token and asked else load()
    url = check_url(asked or (session.url if session else DEFAULT_URL))
    if token or (session and session.url != url):
        session = None
    if not token.isascii() or not token.isprintable():
        raise CredentialsUnusable(f"{TOKEN} holds characters that no token has. Copy the key again.")
    return url, session, token
