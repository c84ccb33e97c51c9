"""Secrets at rest: encrypted with a key that is not in the database, with rotation (MultiFernet)."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
import re
import uuid
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from imagefactory.kernel import env
from imagefactory.kernel.errors import Unavailable


def read_or_make(path: Path, make: bytes) -> bytes:
    """Return the content of a secret file, writing `make` to it (mode 0600) when it is not there yet.

    Safe when two processes start at once: the file appears whole, and the first one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(make)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


@functools.cache
def _fernet() -> MultiFernet:
    settings = env.get()
    if settings.secret_keys:
        keys = [k.strip().encode() for k in settings.secret_keys.split(",") if k.strip()]
    else:
        keys = read_or_make(settings.data_dir / "secrets" / "fernet.key", Fernet.generate_key()).split()
    return MultiFernet([Fernet(k) for k in keys])


def encrypt(value: str) -> bytes:
    """Return the ciphertext of a secret, to be stored."""
    return _fernet().encrypt(value.encode())


def decrypt(stored: bytes) -> str:
    """Return the secret.

    Raises Unavailable when no configured key fits: the key was lost or rotated out too early.
    """
    try:
        return _fernet().decrypt(bytes(stored)).decode()
    except InvalidToken:
        raise Unavailable(
            "A stored secret cannot be read with the configured keys. Put the key it was written with back into "
            "IMAGEFACTORY_SECRET_KEYS, or set the secret again."
        ) from None


def django_key() -> str:
    """Return the key that signs sessions and forms; made once in the data directory."""
    from imagefactory.kernel.ids import token

    path = env.get().data_dir / "secrets" / "django.key"
    return read_or_make(path, token(32).encode()).decode().strip()


def _signature(purpose: str, row: uuid.UUID, version: int) -> str:
    mac = hmac.new(django_key().encode(), f"{purpose}\0{row}\0{version}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def signed_token(purpose: str, row: uuid.UUID, version: int) -> str:
    """Return the secret part of a link to a row: `<row>.<signature>`, made again whenever it is needed.

    Nothing of it is stored, so a copy of the database opens no door; a higher version ends older links (HMAC-SHA256,
    RFC 2104).
    """
    return f"{row.hex}.{_signature(purpose, row, version)}"


def row_of_token(token: str) -> uuid.UUID | None:
    """Return which row a token claims to be for, to look its version up; None for what is no token at all."""
    text = token.partition(".")[0]
    return uuid.UUID(text) if re.fullmatch("[0-9a-f]{32}", text) else None


def token_matches(token: str, purpose: str, row: uuid.UUID, version: int) -> bool:
    """Whether `token` was made for this purpose, row and version; takes the same time for every wrong one."""
    return hmac.compare_digest(token.encode(), signed_token(purpose, row, version).encode())


def signed_code(purpose: str, row: uuid.UUID, version: int) -> str:
    """Return six digits to be typed in place of a link; short, so whoever takes them must bound the attempts."""
    mac = hmac.new(django_key().encode(), f"code\0{purpose}\0{row}\0{version}".encode(), hashlib.sha256).digest()
    return f"{int.from_bytes(mac[:8], 'big') % 1_000_000:06d}"
