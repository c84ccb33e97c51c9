"""The SAML identity provider of the tests: pysaml2 with xmlsec1 in a process of its own."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.parties.certificates import self_signed
from tests.parties.processes import PARTIES, free_port, running

ENTITY = "https://idp.example.com/metadata"


@dataclasses.dataclass(frozen=True)
class SamlIdp:
    """A running identity provider with its signing certificate (PEM)."""

    port: int
    certificate: str

    @property
    def sso_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/sso"

    def respond(self, address: str, claims: Mapping[str, Any], **more: str) -> str:
        """Return the XML that the provider would let the browser post, for a sign-in begun at `address`."""
        answer = httpx.get(
            address, params={**dict(httpx.URL(address).params), "claims": json.dumps(claims), **more}, timeout=30
        )
        answer.raise_for_status()
        return base64.b64decode(answer.content).decode()


@contextlib.contextmanager
def saml_idp(
    place: Path, metadata: list[Path], *, name: str = "idp", lifetime: int = 15, known_port: int = 0
) -> Iterator[SamlIdp]:
    """Run an identity provider that knows the service providers of these metadata files.

    `known_port`: it takes the place of the one there, and answers requests that were meant for that.
    """
    key, cert = self_signed(place, name)
    port = free_port()
    settings = place / f"{name}.json"
    settings.write_text(
        json.dumps({
            "port": port, "known_port": known_port or port, "entity_id": ENTITY, "key": str(key), "cert": str(cert),
            "metadata": [str(m) for m in metadata], "lifetime": lifetime,
        })
    )  # fmt: skip
    command = [sys.executable, str(PARTIES / "saml_idp_server.py"), str(settings)]
    with running(command, port, log=place / f"{name}.log"):
        yield SamlIdp(port, cert.read_text())
