"""Every source of repositories keeps the contract of `adapters/sources/base.py`: the fake and real git, both over a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from imagefactory.adapters.sources.addresses import AddressPolicy
from imagefactory.adapters.sources.base import Credential, Problem, Repositories, SourceLimits, SourceUnavailable
from imagefactory.adapters.sources.fake import FakeRepositories, FakeRepository
from imagefactory.adapters.sources.git import GitRepositories
from tests.sources.servers import GitHttpServer, free_port, git

FILES = {
    "main": {"Dockerfile": "FROM scratch\n", "deep/er/file": "Grüße ✓\n"},
    "release/1": {"Dockerfile": "FROM scratch\nLABEL v=1\n"},
}
PASSWORD = "hunter2-of-the-tenant"
LOGIN = Credential("password", PASSWORD, "ada")


@dataclasses.dataclass
class Subject:
    """Repositories to test: one with a password, one that is not there, and one where nobody answers."""

    repositories: Repositories
    url: str = "https://git.example.test/app"
    absent: str = "https://git.example.test/none"
    unreachable: str = "https://away.example.test/app"


def make_repository(where: Path, branches: Mapping[str, Mapping[str, str]]) -> None:
    """Make a repository in which each branch is one commit of its own files; the first branch is the default one."""
    where.mkdir(parents=True)
    git(where, "init", "--quiet", "-b", next(iter(branches)))
    for position, (branch, files) in enumerate(branches.items()):
        if position:
            git(where, "checkout", "--quiet", "--orphan", branch)
            git(where, "rm", "--quiet", "-rf", ".")
        for path, text in files.items():
            (where / path).parent.mkdir(parents=True, exist_ok=True)
            (where / path).write_text(text)
        git(where, "add", ".")
        git(where, "commit", "--quiet", "-m", "A commit")
    git(where, "checkout", "--quiet", next(iter(branches)))


@pytest.fixture(params=["fake", pytest.param("git", marks=pytest.mark.real)])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "fake":
        repository = FakeRepository({**FILES}, password=PASSWORD)
        yield Subject(FakeRepositories({Subject.url: repository}, unreachable={Subject.unreachable}))
        return
    make_repository(tmp_path / "repositories" / "app", FILES)
    policy = AddressPolicy(allowed_hosts=("localhost",))
    with GitHttpServer(tmp_path / "repositories", password=PASSWORD) as server:
        yield Subject(
            GitRepositories(policy, SourceLimits(timeout_seconds=30), tmp_path / "scratch"),
            f"{server.url}/app", f"{server.url}/none", f"http://localhost:{free_port()}/app",
        )  # fmt: skip


@pytest.fixture
def context(tmp_path: Path) -> Path:
    where = tmp_path / "context"
    where.mkdir()
    return where


def files_in(context: Path) -> dict[str, str]:
    return {str(p.relative_to(context)): p.read_text() for p in context.rglob("*") if p.is_file()}


def refused(subject: Subject, context: Path, url: str, ref: str, credential: Credential | None = LOGIN) -> Problem:
    """Fetch, and return the problem, after checking that its sentence names the address and no secret."""
    with pytest.raises(SourceUnavailable) as caught:
        subject.repositories.fetch(url, ref, context, credential=credential)
    said = str(caught.value)
    assert PASSWORD not in said
    assert url in said or "does not answer" in said
    assert said.endswith((".", "?"))
    return caught.value.problem


def test_look_lists_the_branches_with_their_commits_and_the_default_one(subject: Subject) -> None:
    look = subject.repositories.look(subject.url, LOGIN)
    assert look.default_branch == "main"
    assert set(look.branches) == set(FILES)
    assert all(len(commit) == 40 for commit in look.branches.values())
    assert look.branches["main"] != look.branches["release/1"]
    assert look.tags == {}


@pytest.mark.parametrize("branch", list(FILES))
def test_fetch_writes_exactly_the_files_of_the_branch(subject: Subject, context: Path, branch: str) -> None:
    told: list[str] = []
    fetched = subject.repositories.fetch(subject.url, branch, context, credential=LOGIN, tell=told.append)
    assert files_in(context) == FILES[branch]
    assert fetched.commit == subject.repositories.look(subject.url, LOGIN).branches[branch]
    assert fetched.files == len(FILES[branch])
    assert fetched.size_bytes == sum(len(text.encode()) for text in FILES[branch].values())
    assert fetched.message == "A commit"
    assert "@example.test" in fetched.author
    assert fetched.committed_at is not None
    assert told[0] == f"Resolved {branch} to {fetched.commit}."


def test_no_ref_means_the_default_branch_and_a_commit_means_itself(
    subject: Subject, context: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    subject.repositories.fetch(subject.url, "", context, credential=LOGIN, tell=told.append)
    assert files_in(context) == FILES["main"]
    assert told[0].startswith("Resolved the default branch to ")
    commit = subject.repositories.look(subject.url, LOGIN).branches["release/1"]
    other = tmp_path / "other"
    other.mkdir()
    assert subject.repositories.fetch(subject.url, commit, other, credential=LOGIN).commit == commit
    assert files_in(other) == FILES["release/1"]


def test_fetching_twice_gives_the_same(subject: Subject, context: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    first, second = (subject.repositories.fetch(subject.url, "main", d, credential=LOGIN) for d in (context, again))
    assert first == second
    assert files_in(context) == files_in(again)


@pytest.mark.parametrize("credential", [None, Credential("password", "wrong-password", "ada")])
def test_nobody_enters_without_the_password(subject: Subject, context: Path, credential: Credential | None) -> None:
    assert refused(subject, context, subject.url, "main", credential) is Problem.AUTH_REFUSED
    assert files_in(context) == {}


def test_each_kind_of_absence_has_its_own_code(subject: Subject, context: Path) -> None:
    assert refused(subject, context, subject.absent, "main") is Problem.REPOSITORY_NOT_FOUND
    assert refused(subject, context, subject.unreachable, "main", None) is Problem.UNREACHABLE
    assert refused(subject, context, subject.url, "mian") is Problem.BRANCH_NOT_FOUND
    assert refused(subject, context, subject.url, "0" * 39 + "1") is Problem.COMMIT_NOT_FOUND


def test_a_misspelt_branch_names_the_one_that_was_meant(subject: Subject, context: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r'no branch or tag "relaese/1".*release/1'):
        subject.repositories.fetch(subject.url, "relaese/1", context, credential=LOGIN)
