"""Turns what git and ssh say into one sentence for people, with a stable code. Nothing that git prints is passed on."""

from __future__ import annotations

from imagefactory.adapters.sources.addresses import Address
from imagefactory.adapters.sources.base import Problem, SourceUnavailable

_AUTH = (
    "authentication failed", "could not read username", "could not read password", "permission denied",
    "invalid credentials", "http basic: access denied", "error: 401", "error: 403", "load key",
    "terminal prompts disabled", "too many authentication failures", "support for password authentication was removed",
)  # fmt: skip
_UNREACHABLE = (
    "could not resolve host", "couldn't connect", "failed to connect", "connection refused", "connection timed out",
    "network is unreachable", "no route to host", "connection reset", "could not resolve hostname", "timed out",
    "operation too slow", "early eof", "kex_exchange_identification", "error: 5", "empty reply",
)  # fmt: skip
_CERTIFICATE = (
    "ssl certificate",
    "certificate verification",
    "tls",
    "ssl_error",
    "unable to get local issuer",
)
_MISSING = (
    "repository not found", "not found", "does not appear to be a git repository", "does not exist", "no such file",
    "not valid: is this a git repository", "error: 404",
)  # fmt: skip


def sentence(stderr: str, address: Address, *, has_credential: bool) -> SourceUnavailable:
    """Return the error that git's words stand for."""
    # The address says nothing about the cause: a repository may be called "tls" or "not-found".
    said = stderr.lower().replace(address.url.lower(), "")
    where = address.url
    if "no space left" in said or "disk quota exceeded" in said:
        return SourceUnavailable(
            Problem.FAILED, f"The disk of the build host is full, so {where} could not be read; ask the operator."
        )
    if "host key verification failed" in said:
        return SourceUnavailable(
            Problem.UNREACHABLE,
            f"The SSH host key of {address.host} is not the one that was stored; check both.",
        )
    if any(words in said for words in _CERTIFICATE) and "unable to access" in said:
        return SourceUnavailable(
            Problem.UNREACHABLE,
            f"The certificate of {address.host} is not trusted; install its authority on this machine.",
        )
    if "redirect" in said or "error: 30" in said:
        return SourceUnavailable(
            Problem.NOT_ALLOWED, f"{where} leads to another address; enter that address in the project."
        )
    if any(words in said for words in _UNREACHABLE):
        return SourceUnavailable(
            Problem.UNREACHABLE,
            f"{address.host or where} (port {address.port}) does not answer; check the address, and that this machine reaches it.",
        )
    if any(words in said for words in _AUTH):
        todo = "check the project's credential" if has_credential else "store a credential in the project"
        return SourceUnavailable(Problem.AUTH_REFUSED, f"{address.host} refused access to {where}; {todo}.")
    if any(words in said for words in _MISSING):
        todo = (
            "check the path, and that the credential may see it."
            if has_credential
            else "check the path; is it private?"
        )
        return SourceUnavailable(Problem.REPOSITORY_NOT_FOUND, f"There is no repository at {where}; {todo}")
    return SourceUnavailable(Problem.FAILED, f"git could not read {where}; the server's answer was not understood.")
