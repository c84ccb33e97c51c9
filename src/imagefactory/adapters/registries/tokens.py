"""Registry tokens (distribution token authentication) and the dispatcher's own short-lived grants."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SERVICE = "imagefactory-registry"
ISSUER = "imagefactory"
_GRANT_AUDIENCE = "imagefactory-grant"
GRANT_PREFIX = "ifg_"
# Short, though each request is judged anew at the front door: the least that clients of the protocol count on.
TTL = 60
# Who holds a token that the factory made for its own work; people's and programs' name their key or sign-in.
SYSTEM_HOLDER = "system"
_SCOPE = re.compile(r"(repository|registry)(?:\([a-z]+\))?:([a-z0-9][a-z0-9._/-]{0,254}):([a-z*,]{1,60})")


@dataclasses.dataclass(frozen=True)
class Access:
    """One thing that is asked for or granted: actions on a repository."""

    type: str
    name: str
    actions: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Grant:
    """What the holder of a grant may do in one repository."""

    subject: str
    repository: str
    actions: frozenset[str]

    def allows(self, path: str) -> frozenset[str]:
        return self.actions if path == self.repository else frozenset()


@dataclasses.dataclass(frozen=True)
class Held:
    """Whom a registry token was given to: `subject` is for records, `holder` names what it stands on."""

    subject: str
    holder: str


def parse_scopes(scopes: Sequence[str]) -> list[Access]:
    """Return what a client asks for; scopes that are not well-formed ask for nothing."""
    found = []
    for text in scopes:
        if match := _SCOPE.fullmatch(text):
            kind, name, actions = match.groups()
            found.append(Access(kind, name, tuple(sorted({a for a in actions.split(",") if a}))))
    return found


def ensure_keys(secrets_dir: Path) -> tuple[Path, Path]:
    """Make the signing key and its certificate when they are not there; return both paths. Safe to repeat."""
    key_path, cert_path = secrets_dir / "registry-token.key", secrets_dir / "registry-token.crt"
    if key_path.exists() and cert_path.exists():
        return key_path, cert_path
    secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for path, data, mode in (
        (cert_path, cert.public_bytes(serialization.Encoding.PEM), 0o644),
        (key_path, pem, 0o600),
    ):
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(fd, "wb") as out:
            out.write(data)
        draft.rename(path)
    return key_path, cert_path


def _libtrust_id(key: ec.EllipticCurvePublicKey) -> str:
    """Return the key id that distribution looks for: base32 of 30 bytes of the key's hash, in groups of four."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode().rstrip("=")
    return ":".join(text[i : i + 4] for i in range(0, len(text), 4))


class TokenIssuer:
    """Signs registry tokens and grants with one key. Safe to use from many threads."""

    def __init__(self, key_path: Path) -> None:
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("The registry's signing key is not an elliptic-curve key.")
        self._key = key
        self._kid = _libtrust_id(key.public_key())

    def _claims(self, subject: str, audience: str, ttl: int) -> dict[str, Any]:
        moment = int(dt.datetime.now(dt.UTC).timestamp())
        return {
            "iss": ISSUER, "sub": subject, "aud": audience, "iat": moment, "nbf": moment - 10, "exp": moment + ttl,
            "jti": uuid.uuid4().hex,
        }  # fmt: skip

    def issue(
        self, subject: str, access: Sequence[Access], ttl: int = TTL, holder: str = SYSTEM_HOLDER
    ) -> dict[str, Any]:
        """Return the answer of a token endpoint: a token for exactly this access.

        `holder` is what must still work when the token is used: `key:<id>`, `session:<id>`, or the factory itself.
        """
        claims = self._claims(subject, SERVICE, ttl) | {"holder": holder}
        claims["access"] = [{"type": a.type, "name": a.name, "actions": list(a.actions)} for a in access]
        token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._kid})
        issued = dt.datetime.fromtimestamp(claims["iat"], dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"token": token, "access_token": token, "expires_in": ttl, "issued_at": issued}

    def read_token(self, text: str) -> Held | None:
        """Return whom a registry token was given to, or None when it is no valid one or has run out."""
        try:
            claims = jwt.decode(
                text, self._key.public_key(), algorithms=["ES256"], audience=SERVICE, issuer=ISSUER,
                options={"require": ["exp", "nbf", "sub", "holder"]},
            )  # fmt: skip
        except jwt.InvalidTokenError:
            return None
        return Held(str(claims["sub"]), str(claims["holder"]))

    def issue_grant(self, subject: str, repository: str, actions: Sequence[str], ttl: int = 900) -> str:
        """Return a credential for one repository, used as the password of Basic authentication."""
        claims = self._claims(subject, _GRANT_AUDIENCE, ttl) | {
            "repository": repository,
            "actions": sorted(actions),
        }
        return GRANT_PREFIX + jwt.encode(claims, self._key, algorithm="ES256")

    def read_grant(self, text: str) -> Grant | None:
        """Return what a grant allows, or None when the text is no valid one."""
        if not text.startswith(GRANT_PREFIX):
            return None
        try:
            claims = jwt.decode(
                text.removeprefix(GRANT_PREFIX),
                self._key.public_key(),
                algorithms=["ES256"],
                audience=_GRANT_AUDIENCE,
                issuer=ISSUER,
            )
        except jwt.InvalidTokenError:
            return None
        return Grant(claims["sub"], claims["repository"], frozenset(claims["actions"]))
