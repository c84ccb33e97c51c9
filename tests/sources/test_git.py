"""Real git on real repositories over file://, and the rules of addresses. test_git_remote.py goes over http and ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagefactory.adapters.sources.addresses import AddressPolicy, check_address
from imagefactory.adapters.sources.base import Credential, Problem, SourceLimits, SourceUnavailable
from imagefactory.adapters.sources.git import GitRepositories
from tests.sources.servers import git


def reader(tmp_path: Path, **limits: float) -> GitRepositories:
    policy = AddressPolicy(file_root=tmp_path / "repositories")
    return GitRepositories(policy, SourceLimits(**limits), tmp_path / "scratch")  # type: ignore[arg-type]


def target(tmp_path: Path) -> Path:
    where = tmp_path / "context"
    where.mkdir()
    return where


def test_a_branch_becomes_exactly_its_commit(tmp_path: Path, repository: Path) -> None:
    where, told = target(tmp_path), list[str]()
    fetched = reader(tmp_path).fetch(f"file://{repository}", "main", where, tell=told.append)
    assert fetched.commit == git(repository, "rev-parse", "main")
    assert (fetched.message, fetched.author, fetched.files) == ("Second", "Ada <ada@example.test>", 2)
    assert sorted(path.name for path in where.iterdir()) == ["Dockerfile", "more"]
    assert fetched.commit in told[0]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_tags_and_older_commits_can_be_fetched(tmp_path: Path, repository: Path) -> None:
    first = git(repository, "rev-parse", "v1^{commit}")
    assert reader(tmp_path).fetch(f"file://{repository}", "v1", target(tmp_path)).commit == first
    (tmp_path / "other").mkdir()
    assert reader(tmp_path).fetch(f"file://{repository}", first, tmp_path / "other").files == 1


def test_a_wrong_branch_names_the_one_that_was_meant(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(SourceUnavailable, match="main") as caught:
        reader(tmp_path).fetch(f"file://{repository}", "mian", target(tmp_path))
    assert caught.value.problem is Problem.BRANCH_NOT_FOUND


def test_a_commit_that_is_not_there_is_told(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        reader(tmp_path).fetch(f"file://{repository}", "0" * 39 + "1", target(tmp_path))
    assert caught.value.problem is Problem.COMMIT_NOT_FOUND


def test_a_repository_that_is_too_large_is_refused_before_it_is_written(tmp_path: Path, repository: Path) -> None:
    where = target(tmp_path)
    with pytest.raises(SourceUnavailable) as caught:
        reader(tmp_path, max_files=1).fetch(f"file://{repository}", "main", where)
    assert caught.value.problem is Problem.TOO_LARGE
    assert list(where.iterdir()) == []


def test_hooks_of_a_hostile_template_or_repository_do_not_run(tmp_path: Path, repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    reader(tmp_path).fetch(f"file://{repository}", "main", target(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/a.git", "http://[::1]/a", "ssh://git@localhost/a", "git@localhost:a", "https://169.254.169.254/x",
        "ext::sh -c id", "--upload-pack=id", "file:///etc", "https://user:secret@example.test/a", "ssh://-oProxy@/a", "ftp://h/a",
    ],
)  # fmt: skip
def test_an_address_that_leads_back_or_smuggles_options_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        check_address(url, AddressPolicy(file_root=tmp_path))
    assert caught.value.problem is Problem.NOT_ALLOWED
    assert "secret" not in str(caught.value)


def test_a_listed_host_may_be_this_machine() -> None:
    assert check_address("http://127.0.0.1:8/a", AddressPolicy(allowed_hosts=("127.0.0.1",))).loopback


def test_a_credential_does_not_show_its_secret() -> None:
    assert "hunter2" not in repr(Credential("password", "hunter2"))


def test_a_closed_port_is_an_unreachable_host(tmp_path: Path) -> None:
    import socket

    with socket.socket() as held:  # bound and not listening: nobody else can answer there
        held.bind(("127.0.0.1", 0))
        policy = AddressPolicy(allowed_hosts=("127.0.0.1",))
        repositories = GitRepositories(policy, SourceLimits(timeout_seconds=20), tmp_path)
        with pytest.raises(SourceUnavailable) as caught:
            repositories.look(f"http://127.0.0.1:{held.getsockname()[1]}/a")
    assert caught.value.problem is Problem.UNREACHABLE
