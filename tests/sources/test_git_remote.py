"""Real git over the network: http and https with a password, ssh with a key; each refusal is a sentence without the secret."""

from __future__ import annotations

import logging
import os
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagefactory.adapters.sources.addresses import AddressPolicy
from imagefactory.adapters.sources.base import Credential, Problem, SourceLimits, SourceUnavailable
from imagefactory.adapters.sources.git import GitRepositories
from tests.sources.servers import SSHD, GitHttpServer, SshServer, git, make_key, self_signed, shown_to_others

PASSWORD = "hunter2-of-the-tenant"
LOGIN = Credential("password", PASSWORD, "ada")
pytestmark = pytest.mark.real


@pytest.fixture
def reader(tmp_path: Path) -> GitRepositories:
    policy = AddressPolicy(allowed_hosts=("localhost",))
    return GitRepositories(policy, SourceLimits(timeout_seconds=30), tmp_path / "scratch")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    where = tmp_path / "context"
    where.mkdir()
    return where


@pytest.fixture
def http(repository: Path) -> Iterator[GitHttpServer]:
    with GitHttpServer(repository.parent, password=PASSWORD) as server:
        yield server


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshServer]:
    if SSHD is None:
        pytest.skip("sshd is missing: apt-get install openssh-server")
    with SshServer(tmp_path / "ssh") as server:
        yield server


def key_of(server: SshServer, known_hosts: str = "") -> Credential:
    return Credential("ssh_key", server.key, known_hosts=known_hosts)


def refused(reader: GitRepositories, url: str, credential: Credential | None, ref: str = "") -> SourceUnavailable:
    """Look, or fetch where a ref is given, and return the refusal, after checking that it gives nothing away."""
    where = reader.scratch.parent / "context"
    with pytest.raises(SourceUnavailable) as caught:
        reader.fetch(url, ref, where, credential=credential) if ref else reader.look(url, credential)
    error = caught.value
    said = "".join(traceback.format_exception(error))
    assert len(str(error)) > 20
    if credential is not None:
        for line in credential.secret.splitlines():
            assert line not in said
    # What was written for git is gone, whatever happened.
    assert not list(reader.scratch.iterdir())
    return error


def test_over_http_the_password_opens_it_and_no_process_shows_it(
    reader: GitRepositories, http: GitHttpServer, repository: Path, context: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        fetched = reader.fetch(f"{http.url}/app", "main", context, credential=LOGIN, tell=told.append)
    assert fetched.commit == git(repository, "rev-parse", "main")
    assert sorted(path.name for path in context.iterdir()) == ["Dockerfile", "more"]
    assert http.asked >= 3
    assert http.leaks == []
    assert PASSWORD not in caplog.text + "".join(told)
    assert not any(PASSWORD in value for value in os.environ.values())
    assert not list(reader.scratch.iterdir())


def test_the_search_for_shown_secrets_finds_one() -> None:
    import subprocess

    with subprocess.Popen(["sleep", "30"], env={"PATH": os.environ["PATH"], "X": PASSWORD}) as shows:
        try:
            assert shown_to_others(PASSWORD) == [f"{shows.pid} sleep"]
        finally:
            shows.kill()


def test_over_http_tags_and_bare_commits_are_fetched(
    reader: GitRepositories, http: GitHttpServer, repository: Path, context: Path, tmp_path: Path
) -> None:
    first = git(repository, "rev-parse", "v1^{commit}")
    assert reader.fetch(f"{http.url}/app", "v1", context, credential=LOGIN).commit == first
    (tmp_path / "other").mkdir()
    assert reader.fetch(f"{http.url}/app", first, tmp_path / "other", credential=LOGIN).files == 1
    assert set(reader.look(f"{http.url}/app", LOGIN).branches) == {"main"}


@pytest.mark.parametrize(
    "credential", [None, Credential("password", "wrong-password", "ada"), Credential("password", PASSWORD, "eve")]
)
def test_a_wrong_password_is_told(
    reader: GitRepositories, http: GitHttpServer, context: Path, credential: Credential | None
) -> None:
    error = refused(reader, f"{http.url}/app", credential)
    assert error.problem is Problem.AUTH_REFUSED
    assert "credential" in str(error)


def test_a_wrong_branch_names_those_that_are_there(reader: GitRepositories, http: GitHttpServer, context: Path) -> None:
    error = refused(reader, f"{http.url}/app", LOGIN, "mian")
    assert error.problem is Problem.BRANCH_NOT_FOUND
    assert "it has main" in str(error)


def test_a_repository_that_is_not_there_is_told(reader: GitRepositories, http: GitHttpServer, context: Path) -> None:
    assert refused(reader, f"{http.url}/nothing", LOGIN).problem is Problem.REPOSITORY_NOT_FOUND


def test_a_server_in_trouble_is_told_as_one_that_does_not_answer(
    reader: GitRepositories, http: GitHttpServer, context: Path
) -> None:
    http.answer = 503
    for name in ("app", "tls-not-found"):
        error = refused(reader, f"{http.url}/{name}", LOGIN)
        assert error.problem is Problem.UNREACHABLE
        assert "does not answer" in str(error)


def test_a_redirect_is_not_followed(reader: GitRepositories, http: GitHttpServer, context: Path) -> None:
    http.answer, http.location = 302, "http://127.0.0.1:1/app/info/refs?service=git-upload-pack"
    error = refused(reader, f"{http.url}/app", LOGIN)
    assert error.problem is Problem.NOT_ALLOWED
    assert "another address" in str(error)


def test_a_host_that_does_not_answer_is_told(reader: GitRepositories, context: Path) -> None:
    with socket.socket() as held:  # bound and not listening: nobody else can answer there
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        for url in (f"http://localhost:{port}/app", f"ssh://git@localhost:{port}/app"):
            error = refused(reader, url, None)
            assert error.problem is Problem.UNREACHABLE
            assert f"port {port}" in str(error)


def test_over_https_the_certificate_must_be_trusted(
    reader: GitRepositories, repository: Path, context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    with GitHttpServer(repository.parent, password=PASSWORD, tls=certificate) as server:
        error = refused(reader, f"{server.url}/app", LOGIN)
        assert error.problem is Problem.UNREACHABLE
        assert "certificate of localhost is not trusted" in str(error)
        assert server.asked == 0
        monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate[0]))
        assert reader.fetch(f"{server.url}/app", "", context, credential=LOGIN).files == 2
        assert server.asked > 0
        assert server.leaks == []


def test_over_ssh_the_key_opens_it_and_no_process_shows_it(
    reader: GitRepositories, ssh: SshServer, repository: Path, context: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        fetched = reader.fetch(f"{ssh.url}{repository}", "main", context, credential=key_of(ssh))
    assert fetched.commit == git(repository, "rev-parse", "main")
    assert sorted(path.name for path in context.iterdir()) == ["Dockerfile", "more"]
    shown = ssh.dump.read_bytes()
    assert b"IdentitiesOnly=yes" in shown  # the look was at the right time
    for line in ssh.key.splitlines()[1:-1]:
        assert line.encode() not in shown
        assert line not in caplog.text
    assert not list(reader.scratch.iterdir())


def test_a_wrong_key_is_told(
    reader: GitRepositories, ssh: SshServer, repository: Path, context: Path, tmp_path: Path
) -> None:
    wrong = make_key(tmp_path / "wrong").read_text()
    locked = make_key(tmp_path / "locked", "a passphrase").read_text()
    for credential in (None, *(Credential("ssh_key", text) for text in (wrong, locked, "no key at all"))):
        error = refused(reader, f"{ssh.url}{repository}", credential)
        assert error.problem is Problem.AUTH_REFUSED, str(error)
        assert "credential" in str(error)


def test_a_host_key_is_taken_on_trust_unless_one_is_stored_and_then_it_must_be_that_one(
    reader: GitRepositories, ssh: SshServer, repository: Path, context: Path, tmp_path: Path
) -> None:
    url = f"{ssh.url}{repository}"
    assert "main" in reader.look(url, key_of(ssh)).branches
    assert "main" in reader.look(url, key_of(ssh, ssh.known_hosts)).branches
    other = "localhost " + make_key(tmp_path / "other-host").with_suffix(".pub").read_text()
    error = refused(reader, url, key_of(ssh, other))
    assert error.problem is Problem.UNREACHABLE
    assert "host key of localhost is not the one that was stored" in str(error)


def test_over_ssh_a_missing_branch_or_repository_is_told(
    reader: GitRepositories, ssh: SshServer, repository: Path, context: Path
) -> None:
    assert refused(reader, f"{ssh.url}{repository}", key_of(ssh), "mian").problem is Problem.BRANCH_NOT_FOUND
    assert refused(reader, f"{ssh.url}{repository}-x", key_of(ssh)).problem is Problem.REPOSITORY_NOT_FOUND
