"""Repositories that exist only in memory, for tests and demonstrations; kept to the same promises as real git."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections.abc import Mapping
from pathlib import Path

from imagefactory.adapters.sources.base import Credential, Fetched, Look, Problem, SourceUnavailable, Tell


@dataclasses.dataclass
class FakeRepository:
    """Branches by name, each a table of path to text. With a `password`, nobody enters without it."""

    branches: dict[str, Mapping[str, str]]
    default_branch: str = "main"
    password: str = ""
    message: str = "A commit"
    author: str = "A Person <person@example.test>"

    def commit(self, branch: str) -> str:
        """Return a commit number that depends on the files alone."""
        text = "\0".join(f"{path}\0{body}" for path, body in sorted(self.branches[branch].items()))
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclasses.dataclass
class FakeRepositories:
    """Repositories by address; `unreachable` addresses do not answer."""

    repositories: dict[str, FakeRepository] = dataclasses.field(default_factory=dict)
    unreachable: set[str] = dataclasses.field(default_factory=set)

    def look(self, url: str, credential: Credential | None = None) -> Look:
        """List branches. Raises SourceUnavailable."""
        repository = self._open(url, credential)
        return Look(repository.default_branch, {name: repository.commit(name) for name in repository.branches}, {})

    def fetch(
        self,
        url: str,
        ref: str,
        destination: Path,
        *,
        credential: Credential | None = None,
        tell: Tell | None = None,
    ) -> Fetched:
        """Write a branch's files. Raises SourceUnavailable."""
        repository = self._open(url, credential)
        by_commit = {repository.commit(name): name for name in repository.branches}
        branch = by_commit.get(ref, ref or repository.default_branch)
        if branch not in repository.branches:
            if len(ref) == 40:
                raise SourceUnavailable(
                    Problem.COMMIT_NOT_FOUND, f"There is no commit {ref} in {url}; check the number."
                )
            near = difflib.get_close_matches(branch, list(repository.branches), n=3, cutoff=0.5) or list(
                repository.branches
            )
            message = f'There is no branch or tag "{branch}" in {url}; it has {", ".join(near[:5])}.'
            raise SourceUnavailable(Problem.BRANCH_NOT_FOUND, message)
        size = 0
        for path, text in repository.branches[branch].items():
            target = destination / path
            target.parent.mkdir(parents=True, exist_ok=True)
            size += target.write_bytes(text.encode())
        commit = repository.commit(branch)
        if tell is not None:
            tell(f"Resolved {ref or 'the default branch'} to {commit}.")
        files = len(repository.branches[branch])
        return Fetched(commit, repository.message, repository.author, size, files, 1_700_000_000)

    def _open(self, url: str, credential: Credential | None) -> FakeRepository:
        if url in self.unreachable:
            raise SourceUnavailable(Problem.UNREACHABLE, f"{url} does not answer; check the address.")
        if url not in self.repositories:
            raise SourceUnavailable(Problem.REPOSITORY_NOT_FOUND, f"There is no repository at {url}; check the path.")
        repository = self.repositories[url]
        if repository.password and (credential is None or credential.secret != repository.password):
            raise SourceUnavailable(
                Problem.AUTH_REFUSED, f"Access to {url} was refused; check the project's credential."
            )
        return repository
