"""The key that signs checkpoints, in the data directory's secrets; public keys of all that ever signed beside it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from imagefactory.kernel.secrets import read_or_make


def directory(data_dir: Path) -> Path:
    """Return where the keys are: `signing.key`, and `<key id>.pem` for each public key."""
    return data_dir / "secrets" / "audit"


def _new() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _write(path: Path, content: bytes, mode: int) -> None:
    """Put a whole file in place, owned like its directory: the command line may run as root, the worker does not."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "wb") as out:
        out.write(content)
    owner = path.parent.stat()
    with contextlib.suppress(PermissionError):
        os.chown(draft, owner.st_uid, owner.st_gid)
    draft.replace(path)


class Signer:
    """Signs with the key of now; makes it at first use. Safe when two processes start at once."""

    def __init__(self, place: Path) -> None:
        key = load_pem_private_key(read_or_make(place / "signing.key", _new()), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{place / 'signing.key'} is no Ed25519 key.")
        self._key, self.key_id = key, _key_id(key.public_key())
        public = place / f"{self.key_id}.pem"
        if not public.exists():
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            _write(public, pem, 0o644)

    def sign(self, content: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._key.sign(content)


def rotate(place: Path) -> tuple[str, str]:
    """Sign with a new key from now on and return the ids of the old and the new; the old public key stays."""
    old = Signer(place).key_id
    _write(place / "signing.key", _new(), 0o600)
    return old, Signer(place).key_id


class Ring:
    """The public keys that are trusted: what stands in this directory, and never what a row says."""

    def __init__(self, place: Path) -> None:
        found = [load_pem_public_key(path.read_bytes()) for path in sorted(place.glob("*.pem"))]
        self._keys = {_key_id(key): key for key in found if isinstance(key, Ed25519PublicKey)}

    @property
    def ids(self) -> list[str]:
        return sorted(self._keys)

    def signed(self, key_id: str, signature: bytes, content: bytes) -> bool:
        """Return whether a trusted key of this id made the signature."""
        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(signature, content)
        except InvalidSignature:
            return False
        return True
