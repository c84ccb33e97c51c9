"""The CI system of the tests: a process that signs tokens as GitHub Actions and GitLab do."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.parties.processes import PARTIES, free_port, running


@dataclasses.dataclass(frozen=True)
class CiIssuer:
    """A running issuer."""

    issuer: str

    def sign(self, claims: dict[str, Any], **how: Any) -> str:
        answer = httpx.post(f"{self.issuer}/sign", json={"claims": claims, **how}, timeout=20)
        answer.raise_for_status()
        return str(answer.json()["token"])

    def rotate(self) -> None:
        httpx.post(f"{self.issuer}/rotate", json={}, timeout=20).raise_for_status()

    def asked(self) -> int:
        return int(httpx.get(f"{self.issuer}/asked", timeout=20).json()["asked"])

    def github(self, **more: Any) -> dict[str, Any]:
        """Return the claims of a job of GitHub Actions."""
        return {
            **self._times(), "sub": "repo:shop/app:ref:refs/heads/main", "repository": "shop/app", "repository_owner": "shop",
            "ref": "refs/heads/main", "ref_type": "branch", "sha": "a" * 40, "workflow": "build", "run_id": "17",
            "event_name": "push", "actor": "mia", "aud": "https://factory.example.com", **more,
        }  # fmt: skip

    def gitlab(self, **more: Any) -> dict[str, Any]:
        """Return the claims of a job of GitLab."""
        return {
            **self._times(), "sub": "project_path:shop/app:ref_type:branch:ref:main", "project_path": "shop/app",
            "namespace_path": "shop", "ref": "main", "ref_type": "branch", "ref_protected": "true", "pipeline_id": "9",
            "job_id": "12", "user_login": "mia", "aud": "https://factory.example.com", **more,
        }  # fmt: skip

    def _times(self) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.issuer, "iat": now, "nbf": now, "exp": now + 300, "jti": str(uuid.uuid4())}


@contextlib.contextmanager
def ci_issuer(place: Path) -> Iterator[CiIssuer]:
    """Run an issuer."""
    port = free_port()
    with running([sys.executable, str(PARTIES / "ci_issuer_server.py"), str(port)], port, log=place / "issuer.log"):
        yield CiIssuer(f"http://127.0.0.1:{port}")
