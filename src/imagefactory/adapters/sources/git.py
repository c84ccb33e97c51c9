"""Git repositories, fetched with the real git at one commit, with credentials in private files only."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from imagefactory.adapters.sources.base import Fetched, SourceFailed

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCP = re.compile(r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+):(?P<path>\S+)")


@dataclasses.dataclass(frozen=True)
class Credential:
    """How to sign in to the repository: a user name with a password or token, or an SSH key."""

    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    ssh_key: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass(frozen=True)
class GitPolicy:
    """Which repositories may be asked. Private and local addresses are refused unless a host is allowed by name."""

    allowed_hosts: Sequence[str] = ()
    file_root: Path | None = None
    timeout_seconds: int = 300
    max_bytes: int = 1024 * 1024 * 1024


def check_url(url: str, policy: GitPolicy) -> None:
    """Return when this repository may be asked.

    Raises SourceFailed with the reason; a host name is resolved, so that it cannot stand for this machine.
    """
    match = _SCP.fullmatch(url)
    parts = urlsplit(f"ssh://{match['user']}@{match['host']}/{match['path']}" if match else url)
    if parts.scheme == "file":
        _check_file(unquote(parts.path), policy)
        return
    if parts.scheme not in {"https", "http", "ssh"} or not parts.hostname or parts.hostname.startswith("-"):
        raise SourceFailed("source_invalid", "The repository's address must be https://, http://, ssh:// or git@host:path.")
    if parts.password:
        raise SourceFailed("source_invalid", "The repository's address holds a password. Move it into a credential of the project.")
    host = parts.hostname
    if policy.allowed_hosts:
        if host not in policy.allowed_hosts:
            raise SourceFailed("source_denied", f"Repositories on {host} may not be built here. Ask the operator to allow the host.", "operator")
        return
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        raise SourceFailed("source_unreachable", f"There is no host {host}. Check the repository's address.") from None
    for address in found:
        ip = ipaddress.ip_address(str(address).split("%")[0])
        if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast or ip.is_private:
            raise SourceFailed(
                "source_denied",
                f"{host} is an address of this machine or of its private network, which builds may not reach. "
                "An operator can allow it by name with IMAGEFACTORY_ALLOWED_GIT_HOSTS.",
                "operator",
            )


def _check_file(path: str, policy: GitPolicy) -> None:
    root = policy.file_root
    if root is None or not Path(path).resolve().is_relative_to(root.resolve()):
        raise SourceFailed(
            "source_denied",
            "file:// repositories are not allowed here, or lie outside the operator's source directory.",
            "operator",
        )


@contextmanager
def _environment(credential: Credential, url: str) -> Iterator[dict[str, str]]:
    """Yield git's environment: an empty home, no system configuration, and the credential in private files."""
    scratch = Path(tempfile.mkdtemp(prefix="if-git-"))
    try:
        env = {
            "HOME": str(scratch), "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "file" if url.startswith("file:") else "https:http:ssh",
            "GIT_LFS_SKIP_SMUDGE": "1", "GIT_ASKPASS": "/bin/false",
        }  # fmt: skip
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "https_proxy", "http_proxy", "no_proxy"):
            if name in os.environ:
                env[name] = os.environ[name]
        if credential.password:
            (scratch / "username").write_text(credential.username or "git")
            (scratch / "password").write_text(credential.password)
            ask = scratch / "askpass"
            ask.write_text('#!/bin/sh\nd="${0%/*}"\ncase "$1" in Username*) cat "$d/username" ;; *) cat "$d/password" ;; esac\n')
            ask.chmod(0o700)
            env["GIT_ASKPASS"] = str(ask)
        ssh = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
        ssh += ["-o", f"UserKnownHostsFile={scratch}/known_hosts", "-o", "ConnectTimeout=15"]
        if credential.ssh_key:
            key = scratch / "key"
            key.touch(0o600)
            key.write_text(credential.ssh_key.replace("\r\n", "\n").rstrip("\n") + "\n")
            ssh += ["-o", "IdentitiesOnly=yes", "-i", str(key)]
        env["GIT_SSH_COMMAND"] = " ".join(ssh)
        env["GIT_SSH_VARIANT"] = "ssh"
        yield env
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _git(argv: Sequence[str], env: dict[str, str], url: str, seconds: int, cwd: Path | None = None) -> str:
    flags = ["-c", "core.hooksPath=/dev/null", "-c", "protocol.version=2", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"]
    try:
        done = subprocess.run(
            ["git", *flags, *argv], env=env, cwd=cwd, capture_output=True, text=True, errors="replace",
            timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SourceFailed("source_unreachable", f"The repository did not answer within {seconds} seconds. Try again, or check the address.") from None
    except FileNotFoundError:
        raise SourceFailed("source_unreachable", "git is not installed on the build host. `imagefactory doctor` says how.", "operator") from None
    if done.returncode:
        raise _explain(done.stderr, url)
    return done.stdout


def _explain(said: str, url: str) -> SourceFailed:
    text, shown = said.lower(), re.sub(r"//[^/@]*@", "//", url)
    if "couldn't find remote ref" in text or "not our ref" in text or "unadvertised object" in text:
        return SourceFailed("ref_not_found", f"{shown} has no such branch, tag or commit.")
    if any(w in text for w in ("authentication failed", "could not read username", "permission denied", "access denied", "403", "terminal prompts disabled")):
        return SourceFailed("source_denied", f"{shown} refuses access. Add or renew the project's credential.")
    if any(w in text for w in ("not found", "does not exist", "does not appear to be a git repository", "404")):
        return SourceFailed("source_denied", f"There is no repository at {shown}, or it needs a credential.")
    if "no space left" in text:
        return SourceFailed("source_too_large", "The repository filled the build's disk. Ask for more disk.")
    last = next((line for line in reversed(said.strip().splitlines()) if line.startswith(("fatal:", "error:"))), said.strip()[-200:])
    return SourceFailed("source_unreachable", f"{shown} could not be read: {last[:300]}")


def resolve(url: str, ref: str, credential: Credential, policy: GitPolicy) -> str:
    """Return the commit that a branch, tag or commit names now; also the access test.

    Raises SourceFailed; for an unknown branch it names the closest ones.
    """
    check_url(url, policy)
    if _COMMIT.fullmatch(ref):
        return ref
    with _environment(credential, url) as env:
        listed = _git(["ls-remote", "--", url], env, url, policy.timeout_seconds)
    found: dict[str, str] = {}
    for line in listed.splitlines():
        commit, _, name = line.partition("\t")
        found[name] = commit
    for name in (f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", ref):
        if name in found:
            return found[name]
    branches = [n.removeprefix("refs/heads/") for n in found if n.startswith("refs/heads/")]
    near = difflib.get_close_matches(ref, branches, 3, 0.4) or branches[:5]
    hint = f" It has {', '.join(near)}." if near else " It is empty."
    raise SourceFailed("ref_not_found", f"The repository has no branch or tag {ref}.{hint}")


def fetch(url: str, commit: str, credential: Credential, target: Path, policy: GitPolicy) -> Fetched:
    """Put the files of one commit into the empty directory `target`, without the repository's history.

    Raises SourceFailed.
    """
    check_url(url, policy)
    with _environment(credential, url) as env:
        seconds = policy.timeout_seconds
        _git(["init", "-q", "."], env, url, 30, target)
        try:
            _git(["fetch", "-q", "--depth=1", "--no-tags", "--", url, commit], env, url, seconds, target)
        except SourceFailed as error:
            if error.code != "ref_not_found":
                raise
            # Some servers give a commit only through the branch that holds it.
            _git(["fetch", "-q", "--no-tags", "--", url, "+refs/heads/*:refs/remotes/o/*"], env, url, seconds, target)
        _git(["checkout", "-q", "--detach", commit], env, url, seconds, target)
        told = _git(["log", "-1", "--format=%ct%x00%s", commit], env, url, 30, target)
    when, _, subject = told.strip().partition("\0")
    shutil.rmtree(target / ".git", ignore_errors=True)
    size, files = _measure(target, policy.max_bytes)
    return Fetched(size, files, commit, subject[:300], int(when) if when.isdigit() else None)


def _measure(target: Path, max_bytes: int) -> tuple[int, int]:
    size = files = 0
    for directory, _, names in os.walk(target, followlinks=False):
        for name in names:
            size += os.lstat(os.path.join(directory, name)).st_size
            files += 1
    if size > max_bytes:
        raise SourceFailed("source_too_large", f"The source is {size // (1024 * 1024)} MiB, more than the limit of {max_bytes // (1024 * 1024)} MiB.")
    return size, files
