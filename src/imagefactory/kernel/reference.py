"""Names of container images: parsed, completed and compared as Docker and the OCI distribution specification do it."""

from __future__ import annotations

import dataclasses
import re

DOCKER_HUB = "docker.io"
LIBRARY = "library"  # the reserved tenant that holds the factory's own base images

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]{{2,45}}\])(?::[0-9]{{1,5}})?")
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_TRANSPORT = re.compile(
    r"(?:docker|docker-archive|docker-daemon|oci|oci-archive|dir|containers-storage|sif|tarball|ostree|atomic):"
    r"|[a-z][a-z0-9+.-]*://"
)
MAX_NAME = 255  # distribution specification: repository name with its host
MAX_REFERENCE = 512


class ReferenceInvalid(ValueError):
    """The text is no image reference. The message is a sentence that names the part that is wrong."""


def is_tag(text: str) -> bool:
    """Return whether the text is a tag by the grammar of the OCI distribution specification (at most 128 characters)."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Return whether the text is a sha256 or sha512 digest in its one canonical, lower-case spelling."""
    return _DIGEST.fullmatch(text) is not None


def is_repository(text: str) -> bool:
    """Return whether the text is a repository name (without a host)."""
    return len(text) <= MAX_NAME and _REPOSITORY.fullmatch(text) is not None


def has_transport(text: str) -> bool:
    """Return whether the text names a container transport (`docker-archive:/x`, `docker://x`) in place of an image.

    A transport makes the build engine read files of the build host. `docker:24` and `oci:1` are images, and stay so: a
    transport is one only when a path or another name follows.
    """
    match = _TRANSPORT.match(text)
    if match is None:
        return False
    return not is_tag(text[match.end() :].partition("@")[0])


@dataclasses.dataclass(frozen=True, order=True)
class Reference:
    """A complete image reference: host, repository, and a tag, a digest or both."""

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Host and repository, without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def pinned(self) -> bool:
        """Whether the reference always means the same bytes."""
        return self.digest is not None

    def is_on(self, own_host: str) -> bool:
        """Return whether this image lives in the registry with this host (and port, where it has one)."""
        return self.host.lower() == own_host.lower()

    def candidates(self, own_host: str) -> list[Reference]:
        """Where to look for a base image, in order.

        The factory's `library` stands before Docker Hub's: `debian:12` and `library/debian:12` are served from the
        factory's own registry where it has them, so one Dockerfile builds inside and outside. No other name is taken
        over; `team/app` without a host is Docker Hub's, as everywhere, and never another tenant's.
        """
        first, _, rest = self.repository.partition("/")
        if self.host == DOCKER_HUB and first == LIBRARY and "/" not in rest:
            return [dataclasses.replace(self, host=own_host), self]
        return [self]

    def at(self, digest: str) -> Reference:
        """Return this image at a digest. Raises ReferenceInvalid when the digest is none."""
        if not is_digest(digest):
            raise ReferenceInvalid(f'"{digest[:80]}" is not a digest; it must look like sha256: and 64 hex digits.')
        return dataclasses.replace(self, digest=digest)

    def tagged(self, tag: str) -> Reference:
        """Return this image under another tag, without digest. Raises ReferenceInvalid when the tag is not allowed."""
        if not is_tag(tag):
            raise ReferenceInvalid(tag_problem(tag))
        return dataclasses.replace(self, tag=tag, digest=None)

    def __str__(self) -> str:
        text = self.name
        if self.tag is not None:
            text += f":{self.tag}"
        if self.digest is not None:
            text += f"@{self.digest}"
        return text


def tag_problem(tag: str) -> str:
    """Return the sentence that says why this tag is not allowed."""
    return (
        f'"{tag[:140]}" is not allowed as a tag; use 1 to 128 letters, digits, "_", "." or "-", '
        'and do not start with "." or "-".'
    )


def parse(text: str) -> Reference:
    """Parse an image reference and complete it as Docker does: `debian` becomes `docker.io/library/debian:latest`.

    Raises ReferenceInvalid with a sentence.
    """
    shown = text[:120]
    if not text or len(text) > MAX_REFERENCE:
        raise ReferenceInvalid(f"An image reference has 1 to {MAX_REFERENCE} characters; this one has {len(text)}.")
    if has_transport(text):
        raise ReferenceInvalid(f'"{shown}" names a transport; write the image alone, such as debian:12.')
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise ReferenceInvalid(f'"{shown}" has a digest that is none; it must look like sha256: and 64 hex digits.')
    host, repository = _split_host(rest)
    repository, colon, tag = repository.partition(":")
    if colon and not is_tag(tag):
        raise ReferenceInvalid(f'In "{shown}": {tag_problem(tag)}')
    if not _HOST.fullmatch(host):
        raise ReferenceInvalid(f'"{host[:80]}" in "{shown}" is not a registry host; write it as host or host:port.')
    if host == DOCKER_HUB and "/" not in repository:
        repository = f"{LIBRARY}/{repository}"
    if not _REPOSITORY.fullmatch(repository):
        hint = "; use lower-case letters" if repository != repository.lower() else ""
        raise ReferenceInvalid(
            f'"{shown}" is not an image name{hint}; write it as [host/]name[:tag], such as debian:12.'
        )
    if len(host) + 1 + len(repository) > MAX_NAME:
        raise ReferenceInvalid(f'The image name "{shown}" is longer than {MAX_NAME} characters.')
    if not colon and not at:
        tag = "latest"
    return Reference(host, repository, tag or None, digest or None)


def _split_host(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    looks_like_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not looks_like_host:
        return DOCKER_HUB, text
    host = DOCKER_HUB if first in {"index.docker.io", "registry-1.docker.io"} else first
    return host, rest
