"""The OCI registry's configuration: CNCF Distribution behind the factory's own tokens, on a socket."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from imagefactory.adapters.registries.events import shared_secret
from imagefactory.adapters.registries.tokens import ISSUER, SERVICE
from imagefactory.entry.up.site import Site

# Replaced by the script's own loopback address when it starts.
EVENTS = "http://events.invalid"


def argv(site: Site) -> list[str]:
    """Return the registry's command. A missing program is named with its remedy by the checks of `up`."""
    program = shutil.which("docker-registry", path="/usr/local/bin:/usr/bin:/bin") or "/usr/bin/docker-registry"
    # The registry can send its events over TCP only, and web listens on a socket: a small script stands between.
    script = Path(__file__).with_name("registry_with_events.py")
    return [
        sys.executable, "-I", "-S", str(script), str(site.run / "registry.yml"), str(site.run / "web.sock"),
        program, "serve",
    ]  # fmt: skip


def configuration(site: Site, secret: str) -> str:
    """Return `registry.yml` (distribution 2.8, "Configuring a registry").

    `secret` signs upload state between requests; it must outlive a restart.
    """
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(site.data / "registry"), "maxthreads": 100},
            "cache": {"blobdescriptor": "inmemory"},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": True, "age": "168h", "interval": "24h", "dryrun": False}},
        },
        "http": {
            "net": "unix",
            "addr": str(site.run / "registry.sock"),
            "secret": secret,
            # Builds reach the registry by another name than people do; a relative address is right for both.
            "relativeurls": True,
        },
        "auth": {
            "token": {
                "realm": f"{site.settings.public_url}/registry/token",
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(site.secrets / "registry-token.crt"),
            }
        },
        "notifications": notifications(secret),
    }
    return "# Written by the factory at every start.\n" + yaml.safe_dump(settings, sort_keys=False)


def notifications(secret: str) -> dict[str, Any]:
    """Return where pushes and deletions of manifests are told: to web, which records what people push by hand.

    An event waits in the registry's memory until web takes it; a registry that ends before loses what waits.
    """
    endpoint = {
        "name": "factory",
        "url": EVENTS,
        "headers": {"Authorization": [f"Bearer {shared_secret(secret)}"]},
        "timeout": "15s",
        "threshold": 3,
        "backoff": "2s",
        "ignore": {"mediatypes": ["application/octet-stream"], "actions": ["pull"]},
    }
    return {"endpoints": [endpoint]}
