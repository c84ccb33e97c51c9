"""Secrets at rest: encrypted with a key that is not in the database, with rotation (MultiFernet)."""

from __future__ import annotations

import functools
import os
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
