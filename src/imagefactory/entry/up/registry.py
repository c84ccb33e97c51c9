"""The OCI registry's configuration: CNCF Distribution behind the factory's own tokens, on a socket."""

from __future__ import annotations

import shutil
from typing import Any

import yaml

from imagefactory.entry.up.site import Site

SERVICE = "imagefactory-registry"
ISSUER = "imagefactory"


def argv(site: Site) -> list[str]:
    """Return the registry's command. A missing program is named with its remedy by the checks of `up`."""
    program = shutil.which("docker-registry", path="/usr/local/bin:/usr/bin:/bin")
    return [program or "/usr/bin/docker-registry", "serve", str(site.run / "registry.yml")]


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
    }
    return "# Written by the factory at every start.\n" + yaml.safe_dump(settings, sort_keys=False)
