"""Copies between a registry and OCI layouts with skopeo; credentials go through a private file, never arguments."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TIMEOUT = 1800
_ADDRESS = re.compile(r"https?://[^\s\"]+")
_UNREACHABLE = (
    "no such host", "connection refused", "connection reset", "i/o timeout", "network is unreachable", "eof", "tls",
    "lookup", "http status: 5", "status code 5", "internal server error", "bad gateway", "service unavailable",
)  # fmt: skip


class CopyFailed(Exception):
    """A copy did not work. `code` is unknown_image, denied, unreachable, untrusted, disk_full or failed; the message a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def _auth_file(host: str, password: str | None) -> Iterator[list[str]]:
    """Yield the argument that names a private credentials file, or nothing where no password is needed."""
    fd, path = tempfile.mkstemp(prefix="if-auth-")
    try:
        entry = {"auth": base64.b64encode(f"token:{password}".encode()).decode()}
        with os.fdopen(fd, "w") as out:
            json.dump({"auths": {host: entry} if password else {}}, out)
        yield [f"--authfile={path}"]
    finally:
        Path(path).unlink()


def _copy(argv: list[str], what: str, seconds: int) -> None:
    try:
        done = subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "--quiet", *argv],
            capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise CopyFailed(
            "failed", "skopeo is not installed on the build host. `imagefactory doctor` says how."
        ) from None
    except subprocess.TimeoutExpired:
        raise CopyFailed("unreachable", f"Copying {what} took longer than {seconds} seconds and was stopped.") from None
    if done.returncode:
        raise _explain(done.stderr, what)


def _explain(said: str, what: str) -> CopyFailed:
    # Names of images say nothing about the cause: one may be called "tls" or "denied".
    text = _ADDRESS.sub("", said.lower().replace(what.lower(), ""))
    if "manifest unknown" in text or "name unknown" in text or "repository name not known" in text:
        return CopyFailed("unknown_image", f"There is no image {what}. Check its name and tag.")
    if any(words in text for words in ("denied", "unauthorized", "authentication required", "forbidden")):
        return CopyFailed(
            "denied",
            f"The registry refuses access to {what}: it does not exist, or may not be read or written.",
        )
    if "no space left" in text:
        return CopyFailed("disk_full", f"The disk is full, so {what} could not be copied.")
    if "x509" in text or "certificate" in text:
        return CopyFailed(
            "untrusted",
            f"The registry of {what} shows a certificate that this machine does not trust. The operator adds its authority "
            "to /etc/containers/certs.d/<host>/ca.crt or to the system's certificates.",
        )
    if any(words in text for words in _UNREACHABLE):
        return CopyFailed("unreachable", f"The registry of {what} does not answer. Check the name, or try again later.")
    last = said.strip().splitlines()[-1] if said.strip() else "no reason was given"
    reason = last.partition('msg="')[2].removesuffix('"') or last
    return CopyFailed("failed", f"{what} could not be copied; skopeo says: {reason[-300:]}.")


def pull(reference: str, host: str, layout: Path, *, password: str | None, tls: bool, seconds: int = _TIMEOUT) -> str:
    """Copy an image of this platform into an OCI layout and return the digest of its manifest.

    Raises CopyFailed.
    """
    with _auth_file(host, password) as auth, tempfile.NamedTemporaryFile("r", prefix="if-digest-") as digest:
        flags = [f"--src-tls-verify={str(tls).lower()}", f"--digestfile={digest.name}", "--retry-times=2"]
        _copy([*auth, *flags, f"docker://{reference}", f"oci:{layout}:latest"], reference, seconds)
        return digest.read().strip()


def push(
    layout: Path, tag: str, reference: str, host: str, *, password: str, tls: bool, seconds: int = _TIMEOUT
) -> str:
    """Copy the image with this tag of an OCI layout to a registry, byte for byte, and return its digest.

    Raises CopyFailed.
    """
    with _auth_file(host, password) as auth, tempfile.NamedTemporaryFile("r", prefix="if-digest-") as digest:
        flags = [
            f"--dest-tls-verify={str(tls).lower()}",
            f"--digestfile={digest.name}",
            "--preserve-digests",
            "--retry-times=2",
        ]
        _copy([*auth, *flags, f"oci:{layout}:{tag}", f"docker://{reference}"], reference, seconds)
        return digest.read().strip()
