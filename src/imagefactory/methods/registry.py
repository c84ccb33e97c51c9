"""Which build methods there are, by name."""

from __future__ import annotations

from collections.abc import Mapping

from imagefactory.methods.base import Method
from imagefactory.methods.docker import DockerMethod
from imagefactory.methods.manifest import Manifest, ManifestInvalid

METHODS: Mapping[str, Method] = {"docker": DockerMethod()}

# Named in the contract and not built yet: the refusal can say so instead of "unknown".
PLANNED = frozenset({"buildx", "kaniko", "packer", "nix", "paketo", "custom"})


def method_for(manifest: Manifest) -> Method:
    """Return the method that builds this manifest, after it has accepted it.

    Raises ManifestInvalid when there is no such method or the method refuses.
    """
    method = METHODS.get(manifest.method)
    if method is None:
        known = ", ".join(sorted(METHODS))
        why = "is not available yet" if manifest.method in PLANNED else "is not a build method"
        raise ManifestInvalid.one("method", f'"{manifest.method}" {why}; use {known}.')
    method.validate(manifest)
    return method
