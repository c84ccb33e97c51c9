"""Real git: one commit of a repository into a directory, with a credential that never leaves a private directory."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from imagefactory.adapters.sources.addresses import Address, AddressPolicy, check_address
from imagefactory.adapters.sources.base import (
    Credential,
    Fetched,
    Look,
    Problem,
    SourceLimits,
    SourceUnavailable,
    Tell,
    human_size,
    too_large,
)
from imagefactory.adapters.sources.git_errors import sentence
from imagefactory.adapters.sources.git_process import Git, GitFailed

_COMMIT = re.compile(r"[0-9a-f]{40}")
_MAX_REFS_TEXT = 64 * 1024 * 1024
_TREE_LINE = re.compile(rb"\d+ (?P<kind>\w+) [0-9a-f]+ +(?P<size>\d+|-)\t")

# Fixed text; what is secret stands in files beside the script, which only this process's user can read.
_ASKPASS = """#!/bin/sh
case "$1" in
Username*) cat "${0%/*}/username" ;;
*) cat "${0%/*}/password" ;;
esac
"""
_SSH = """#!/bin/sh
d="${{0%/*}}"
exec ssh -F /dev/null -i "$d/key" -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes -o ProxyCommand=none \\
  -o StrictHostKeyChecking={strict} -o UserKnownHostsFile="$d/known_hosts" -o GlobalKnownHostsFile=/dev/null \\
  -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o PermitLocalCommand=no \\
  -o HostName={ip} -o HostKeyAlias={alias} "$@"
"""


@dataclasses.dataclass(frozen=True)
class GitRepositories:
    """Repositories over https, http, ssh and (where the policy opens a directory) file.

    `scratch` is a directory for short-lived private files; it must allow programs to be run from it.
    """

    policy: AddressPolicy
    limits: SourceLimits
    scratch: Path

    def look(self, url: str, credential: Credential | None = None) -> Look:
        """List branches and tags. Raises SourceUnavailable."""
        address = check_address(url, self.policy)
        with self._session(address, credential) as git:
            return _look(git, address)

    def fetch(
        self,
        url: str,
        ref: str,
        destination: Path,
        *,
        credential: Credential | None = None,
        tell: Tell | None = None,
    ) -> Fetched:
        """Fetch exactly one commit, without history, hooks, submodules or filters. Raises SourceUnavailable."""
        say = tell or (lambda _line: None)
        address = check_address(url, self.policy)
        with self._session(address, credential) as git:
            commit, name = _resolve(git, address, ref)
            say(f"Resolved {ref or 'the default branch'} to {commit}.")
            repository = git.private / "repository"
            _fetch_commit(git, address, repository, commit, name)
            size, files = self._measure(git, repository, commit)
            git.run(
                [
                    "--git-dir",
                    str(repository),
                    "--work-tree",
                    str(destination),
                    "checkout",
                    "--quiet",
                    "--detach",
                    "--force",
                    commit,
                ],
                what=address.url,
            )
            facts = git.run(
                [
                    "--git-dir",
                    str(repository),
                    "show",
                    "--no-patch",
                    "--no-show-signature",
                    "--format=%ct%x00%an <%ae>%x00%s",
                    commit,
                ],
                what=address.url,
            )
        time, author, message = (facts.rstrip("\n").split("\0", 2) + ["", "", ""])[:3]
        say(f"Fetched {files} files, {human_size(size)}: {message[:200]}")
        return Fetched(commit, message[:500], author[:200], size, files, int(time) if time.isdigit() else None)

    def _measure(self, git: Git, repository: Path, commit: str) -> tuple[int, int]:
        """Add up the commit's files before any is written: a small pack can hold endless files."""
        size = files = 0
        for line in git.lines(["--git-dir", str(repository), "ls-tree", "-r", "-l", "-z", commit]):
            match = _TREE_LINE.match(line)
            if match and match["kind"] == b"blob":
                size, files = size + int(match["size"]), files + 1
        if size > self.limits.max_bytes or files > self.limits.max_files:
            raise SourceUnavailable(Problem.TOO_LARGE, too_large(size, files, self.limits))
        return size, files

    @contextlib.contextmanager
    def _session(self, address: Address, credential: Credential | None) -> Iterator[Git]:
        if credential is not None and address.scheme == "http" and not address.loopback:
            raise SourceUnavailable(
                Problem.NOT_ALLOWED,
                "A credential is never sent over plain http; use the https address of the repository.",
            )
        self.scratch.mkdir(parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix="git-", dir=self.scratch))  # mode 0700
        try:
            env = _credential_files(private, address, credential)
            yield Git(private, env, self.limits, options=_options(address))
        except GitFailed as error:
            raise sentence(error.stderr, address, has_credential=credential is not None) from None
        finally:
            shutil.rmtree(private, ignore_errors=True)


def _options(address: Address) -> list[str]:
    options = {
        "credential.helper": "",
        "core.hooksPath": "/dev/null",
        "core.fsmonitor": "false",
        "protocol.version": "2",
        "http.followRedirects": "false",  # a redirect could lead back into this machine
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "30",
        "transfer.fsckObjects": "false",
        "fetch.recurseSubmodules": "false",
        "submodule.recurse": "false",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "advice.detachedHead": "false",
    }
    if address.scheme in {"http", "https"}:
        # Connect to the address that was checked, whatever the name service answers the second time.
        ip = f"[{address.ip}]" if ":" in address.ip else address.ip
        options["http.curloptResolve"] = f"{address.host}:{address.port}:{ip}"
    if address.scheme == "file":
        options["safe.directory"] = "*"
    return [part for key, value in options.items() for part in ("-c", f"{key}={value}")]


def _credential_files(private: Path, address: Address, credential: Credential | None) -> Mapping[str, str]:
    env: dict[str, str] = {"GIT_ALLOW_PROTOCOL": address.scheme}
    files: dict[str, tuple[str, int]] = {}
    if credential is not None and credential.kind == "password":
        files["username"] = (credential.username, 0o600)
        files["password"] = (credential.secret, 0o600)
        files["askpass"] = (_ASKPASS, 0o700)
        env["GIT_ASKPASS"] = str(private / "askpass")
    if address.scheme == "ssh":
        key = credential.secret.strip() + "\n" if credential is not None and credential.kind == "ssh_key" else ""
        known = credential.known_hosts if credential is not None else ""
        files["key"] = (key, 0o600)
        files["known_hosts"] = (known, 0o600)
        strict = "yes" if known else "accept-new"
        files["ssh"] = (_SSH.format(strict=strict, ip=address.ip, alias=address.host), 0o700)
        env["GIT_SSH"] = str(private / "ssh")
        env["GIT_SSH_VARIANT"] = "ssh"
    for name, (text, mode) in files.items():
        path = private / name
        path.touch(mode=mode)
        path.write_text(text, encoding="utf-8")
    return env


def _look(git: Git, address: Address) -> Look:
    text = git.run(["ls-remote", "--symref", "--", address.url], what=address.url, max_bytes=_MAX_REFS_TEXT)
    default, branches, tags = "", dict[str, str](), dict[str, str]()
    for line in text.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            default = value.removeprefix("ref: refs/heads/")
        elif name.startswith("refs/heads/"):
            branches[name.removeprefix("refs/heads/")] = value
        elif name.startswith("refs/tags/"):
            # The commit that an annotated tag stands for comes as a second line ending in ^{}.
            tags[name.removeprefix("refs/tags/").removesuffix("^{}")] = value
    return Look(default, branches, tags)


def _resolve(git: Git, address: Address, ref: str) -> tuple[str, str]:
    """Return the commit that a name stands for now, and the full name to ask a server for that serves no bare commits."""
    if _COMMIT.fullmatch(ref):
        return ref, ""
    look = _look(git, address)
    wanted = ref or look.default_branch
    if not look.branches and not look.tags:
        raise SourceUnavailable(
            Problem.BRANCH_NOT_FOUND, f"The repository {address.url} is empty; push a commit first."
        )
    for prefix, names in (("refs/heads/", look.branches), ("refs/tags/", look.tags)):
        short = wanted.removeprefix(prefix)
        if short in names:
            return names[short], prefix + short
    every = [*look.branches, *look.tags]
    near = difflib.get_close_matches(wanted, every, n=3, cutoff=0.5) or every[:5]
    raise SourceUnavailable(
        Problem.BRANCH_NOT_FOUND,
        f'There is no branch or tag "{wanted}" in {address.url}; it has {", ".join(near)}'
        f"{' and others' if len(every) > len(near) else ''}.",
    )


def _fetch_commit(git: Git, address: Address, repository: Path, commit: str, name: str) -> None:
    git.run(["init", "--quiet", "--bare", "--template=", str(repository)], what=address.url)
    fetch = [
        "--git-dir",
        str(repository),
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "--no-write-fetch-head",
    ]
    try:
        git.run([*fetch, "--", address.url, commit], what=address.url)
    except GitFailed as error:
        unknown = (
            "not our ref" in error.stderr
            or "unadvertised object" in error.stderr
            or "no such remote ref" in error.stderr
        )
        if not unknown:
            raise
        if not name:
            raise SourceUnavailable(
                Problem.COMMIT_NOT_FOUND,
                f"There is no commit {commit} in {address.url}, or the server does not hand it out; check the number, "
                "or use a branch.",
            ) from None
        git.run([*fetch, "--", address.url, f"+{name}:refs/heads/fetched"], what=address.url)
