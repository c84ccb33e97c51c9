"""How an image is pulled, in the words of each tool."""

from __future__ import annotations

import dataclasses

from imagefactory.kernel import env


@dataclasses.dataclass(frozen=True)
class Tool:
    """One tool's commands; `by_tag` is empty for an image without a tag."""

    key: str
    name: str
    by_tag: str
    by_digest: str
    login: str


def commands(reference: str, tag: str, digest: str) -> list[Tool]:
    """Return the pull commands of `reference` (host and repository) by tag and by digest."""
    plain = not env.get().public_url.startswith("https://")
    host = env.get().host
    name = reference.rsplit("/", 1)[-1]
    tagged, fixed = f"{reference}:{tag}" if tag else "", f"{reference}@{digest}"

    def both(prefix: str, suffix: str = "") -> tuple[str, str]:
        return f"{prefix}{tagged}{suffix}" if tag else "", f"{prefix}{fixed}{suffix}"

    podman_tls = " --tls-verify=false" if plain else ""
    skopeo_tls = " --src-tls-verify=false" if plain else ""
    return [
        Tool("docker", "Docker", *both("docker pull "), f"docker login {host}"),
        Tool("podman", "Podman", *both(f"podman pull{podman_tls} "), f"podman login{podman_tls} {host}"),
        Tool("skopeo", "skopeo", *both(f"skopeo copy{skopeo_tls} docker://", f" oci:{name}"),
             f"skopeo login{podman_tls} {host}"),
        Tool("kubernetes", "Kubernetes", *both("image: "), f"kubectl create secret docker-registry factory "
             f"--docker-server={host} --docker-username=key --docker-password=<API key>"),
    ]  # fmt: skip
