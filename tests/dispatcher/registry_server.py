"""A registry of a test's own that asks the factory for tokens and tells it of pushes, and that can be killed and started again."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import httpx
import yaml

from imagefactory.adapters.registries.events import PATH
from imagefactory.adapters.registries.tokens import ISSUER, SERVICE, ensure_keys
from imagefactory.entry.http.registry_events import upload_secret
from imagefactory.entry.up.registry import notifications
from imagefactory.kernel import env


class RegistryServer:
    """Listens at the public address; what it holds outlives a kill."""

    def __init__(self, place: Path, factory_url: str) -> None:
        settings = env.get()
        _, cert = ensure_keys(settings.data_dir / "secrets")
        self.url = settings.public_url
        told = notifications(upload_secret())
        told["endpoints"][0] |= {"url": f"{factory_url}{PATH}", "backoff": "200ms"}
        self._config = place / "registry.yml"
        config = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(place / "registry")}, "delete": {"enabled": True}},
            "notifications": told,
            "http": {"addr": settings.host, "secret": "test"},
            "auth": {
                "token": {
                    "realm": f"{factory_url}/registry/token", "service": SERVICE, "issuer": ISSUER,
                    "rootcertbundle": str(cert),
                }
            },
        }  # fmt: skip
        self._config.write_text(yaml.safe_dump(config))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(self._config)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v2/").status_code == 401
        except httpx.HTTPError:
            return False
