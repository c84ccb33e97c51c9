"""The OpenID provider of the tests, and a person at it: panva's oidc-provider, over real HTTP."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.parties.processes import PARTIES, free_port, running

CLIENT, SECRET = "image-factory", "a-client-secret-of-the-tests"


@dataclasses.dataclass(frozen=True)
class OidcProvider:
    """A running provider."""

    issuer: str
    port: int

    def sign_in(self, authorize_url: str, claims: Mapping[str, Any]) -> str:
        """Sign a person with these claims in, as a browser would, and return the address that it is sent back to."""
        name = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        with httpx.Client(follow_redirects=False, timeout=20) as browser:
            answer = browser.get(authorize_url)
            for _ in range(12):
                if answer.is_redirect:
                    target = urljoin(str(answer.url), answer.headers["location"])
                    if not target.startswith(self.issuer):
                        return target
                    answer = browser.get(target)
                    continue
                form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
                assert form is not None, answer.text[:1000]
                data = {"login": name, "password": "any"} if 'name="login"' in answer.text else {}
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                data |= {"prompt": prompt[1]} if prompt else {}
                answer = browser.post(urljoin(str(answer.url), form[1]), data=data)
        raise AssertionError("the provider never sent the browser back")


def subject_of(claims: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def available() -> bool:
    """Whether Node.js and the provider's packages are there (scripts/bootstrap.sh test installs them)."""
    return shutil.which("node") is not None and (PARTIES / "oidc/node_modules/oidc-provider").is_dir()


@contextlib.contextmanager
def oidc_provider(redirects: Sequence[str], place: Path, port: int | None = None) -> Iterator[OidcProvider]:
    """Run a provider whose one client may be sent back to these addresses."""
    chosen = port or free_port()
    command = ["node", str(PARTIES / "oidc/server.mjs"), str(chosen), CLIENT, SECRET, ",".join(redirects)]
    with running(command, chosen, log=place / f"oidc-{chosen}.log"):
        yield OidcProvider(f"http://127.0.0.1:{chosen}", chosen)
