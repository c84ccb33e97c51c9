"""What people get wrong, each through the dispatcher: a sentence with what, where, what to do and who can do it."""

from __future__ import annotations

import io
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.domain.builds import selectors
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.projects.services import create_credential, delete_credential, set_source, upload_archive
from imagefactory.executors.fake import FakeExecutor
from imagefactory.executors.local.executor import LocalExecutor
from tests.conftest import World, make_world
from tests.dispatcher.parts import BUSYBOX, Repository, ended, log_text, push_base

pytestmark = [pytest.mark.real, pytest.mark.committed, pytest.mark.django_db(transaction=True)]
needs_busybox = pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox-static is not installed")


def inline(dockerfile: str, **more: Any) -> dict[str, Any]:
    return {
        "source": {"kind": "inline", "files": {"hello": "hi"}},
        "dockerfile": {"inline": dockerfile},
        **more,
    }


def failure_of(world: World, asked: dict[str, Any], seconds: float = 90) -> dict[str, Any]:
    """Submit, wait, and return the failure; the API says the same."""
    build = submit_build(world.actor("member"), world.project.id, asked)
    found = dict(ended(world, build.id, seconds).failure)
    told = world.api("viewer")("get", f"/builds/{build.id}").json()["failure"]
    assert told == found
    stages = {s.name: s for s in selectors.get_execution(world.actor("viewer"), build.id).stages}
    assert stages[found["stage"]].status == "failed"
    assert stages[found["stage"]].message == found["message"]
    assert found["message"].endswith((".", '."'))
    return found


def archive_of(entry: tarfile.TarInfo, content: Any) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        if content is None:
            tar.fileobj.write(entry.tobuf())
        else:
            tar.addfile(entry, content)
    packed.seek(0)
    return packed


def test_a_repository_that_does_not_answer(hosts: Callable[..., Any], fake: FakeExecutor) -> None:
    world = make_world()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}/app.git"
        set_source(world.actor("owner"), world.project.id, kind="git", source={"url": url})
        hosts(fake, allowed_git_hosts="127.0.0.1")
        found = failure_of(world, {})
    assert (found["code"], found["stage"], found["who"]) == ("source_unreachable", "fetch", "admin")
    assert f"127.0.0.1 (port {port}) does not answer; check the address" in found["message"]


def test_a_branch_that_is_not_there_names_those_that_are(
    hosts: Callable[..., Any], fake: FakeExecutor, tmp_path: Path
) -> None:
    world, repository = make_world(), Repository(tmp_path / "repositories" / "app")
    repository.commit({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
    repository.branch("release")
    set_source(world.actor("owner"), world.project.id, kind="git", source={"url": repository.url})
    hosts(fake, **repository.allowed)
    found = failure_of(world, {"source": {"kind": "git", "ref": "feature/x"}})
    assert (found["code"], found["who"]) == ("source_branch_not_found", "you")
    assert 'no branch or tag "feature/x"' in found["message"]
    assert "it has main, release." in found["message"]


def test_a_dockerfile_that_cannot_be_read_names_its_line(hosts: Callable[..., Any], fake: FakeExecutor) -> None:
    world = make_world()
    hosts(fake)
    found = failure_of(world, inline("FROM scratch\n\nCOPPY hello /x\n"))
    assert (found["code"], found["stage"], found["dockerfile_line"]) == ("dockerfile_invalid", "fetch", 3)
    assert found["message"] == (
        'Line 3: "COPPY" is not an instruction of a Dockerfile; did you mean COPY? Correct the Dockerfile.'
    )
    found = failure_of(world, inline("FROM scratch\nCOPY ../hello /x\n"))
    assert (found["code"], found["stage"], found["dockerfile_line"]) == ("dockerfile_invalid", "lint", 2)
    assert found["message"] == 'Line 2 of the Dockerfile: "../hello" lies outside the build context.'


def test_a_base_that_is_not_there_names_the_line_that_wants_it(
    registry: str, hosts: Callable[..., Any], fake: FakeExecutor
) -> None:
    world = make_world()
    hosts(fake)
    name = f"{registry.removeprefix('http://')}/library/nothing:1"
    found = failure_of(world, inline(f"FROM scratch AS a\nCOPY hello /x\nFROM {name}\nCOPY --from=a /x /x\n"))
    assert (found["code"], found["stage"], found["dockerfile_line"], found["who"]) == (
        "unknown_base_image", "fetch", 3, "you",
    )  # fmt: skip
    assert f"Line 3 of the Dockerfile: there is no base image {name}" in found["message"]


def test_a_tag_that_is_not_allowed_is_refused_before_anything_is_queued() -> None:
    world = make_world()
    asked = {"project": world.project.slug, "manifest": inline("FROM scratch\n", tags=["fine", "not fine"])}
    answer = world.api("member")("post", "/builds", asked)
    assert answer.status_code == 422
    (sentence,) = answer.json()["error"]["details"]["fields"]["tags"]
    assert sentence.startswith('"not fine" is not allowed as a tag; use 1 to 128 letters')


def test_a_secret_that_was_removed_while_the_build_waited(hosts: Callable[..., Any], fake: FakeExecutor) -> None:
    world = make_world()
    owner = world.actor("owner")
    made = create_credential(owner, world.project.id, name="tok", kind="build_secret", secret="long enough")
    build = submit_build(owner, world.project.id, inline("FROM scratch\nCOPY hello /x\n", secrets=["tok"]))
    delete_credential(owner, world.project.id, made)
    hosts(fake)
    found = ended(world, build.id).failure
    assert (found["code"], found["stage"], found["who"]) == ("manifest_invalid", "fetch", "admin")
    assert found["message"] == "This project has no build secret tok. Add it in the project's settings."


def test_a_source_of_two_gigabytes_is_refused_with_both_sizes(
    hosts: Callable[..., Any], fake: FakeExecutor, tmp_path: Path
) -> None:
    world = make_world()
    entry = tarfile.TarInfo("large")
    entry.size = 2 * 1024**3
    upload = upload_archive(
        world.actor("member"), world.project.id, filename="a.tar.gz", content=archive_of(entry, None)
    )
    hosts(fake)
    source = {"kind": "archive", "blob": upload.digest, "filename": upload.filename}
    found = failure_of(world, {"source": source})
    assert (found["code"], found["who"]) == ("source_too_large", "you")
    assert "at least 2.0 GiB in 1 file, and at most 1.0 GiB" in found["message"]
    assert ".dockerignore" in found["message"]


def test_a_repository_that_is_too_large_is_measured_before_it_is_written(
    hosts: Callable[..., Any], fake: FakeExecutor, tmp_path: Path
) -> None:
    world, repository = make_world(), Repository(tmp_path / "repositories" / "app")
    repository.commit({"Dockerfile": "FROM scratch\n", "a": "a" * 1_500_000, "b": "b" * 1_500_000})
    set_source(world.actor("owner"), world.project.id, kind="git", source={"url": repository.url})
    hosts(fake, **repository.allowed, max_context_mib=1)
    found = failure_of(world, {})
    assert found["code"] == "source_too_large"
    assert "holds 2.9 MiB in 3 files, and at most 1.0 MiB" in found["message"]


def test_a_source_that_fills_the_builds_disk(helper: LocalExecutor, hosts: Callable[..., Any]) -> None:
    world = make_world()
    entry = tarfile.TarInfo("zeros")
    entry.size = 200 * 1024**2
    content = archive_of(entry, io.BytesIO(bytes(entry.size)))
    upload = upload_archive(world.actor("member"), world.project.id, filename="a.tar.gz", content=content)
    hosts(helper)
    source = {"kind": "archive", "blob": upload.digest, "filename": upload.filename}
    found = failure_of(world, {"source": source, "limits": {"disk_mib": 128}})
    assert (found["code"], found["stage"], found["who"]) == ("out_of_disk", "fetch", "you")
    assert "The source does not fit onto the build's disk" in found["message"]
    assert "limits.disk_mib" in found["message"]


@needs_busybox
def test_a_step_that_fails_or_fills_the_disk_names_itself_and_its_place_in_the_log(
    registry: str, helper: LocalExecutor, hosts: Callable[..., Any], store: FileLogStore, tmp_path: Path
) -> None:
    world = make_world()
    push_base(tmp_path / "base")
    hosts(helper)
    text = "FROM library/box:1\nCOPY hello /x\nRUN echo about to fail && exit 7\n"
    build = submit_build(world.actor("member"), world.project.id, inline(text))
    found = ended(world, build.id).failure
    assert (found["code"], found["stage"], found["dockerfile_line"], found["exit_code"]) == (
        "step_failed", "build", 3, 7,
    ), found  # fmt: skip
    assert found["message"].startswith(
        "Line 3 of the Dockerfile, RUN echo about to fail && exit 7: ended with exit code 7; line "
    )
    lines = log_text(store, world, build.id).splitlines()
    assert "about to fail" in lines[: found["line"]]
    assert "Failed:" not in lines[found["line"] - 1]
    text = "FROM library/box:1\nRUN /bin/busybox dd if=/dev/zero of=/big bs=1M count=400\n"
    found = failure_of(world, inline(text, limits={"disk_mib": 128}))
    assert (found["code"], found["stage"], found["dockerfile_line"], found["who"]) == ("out_of_disk", "build", 2, "you")
    assert "Line 2 of the Dockerfile, RUN /bin/busybox dd" in found["message"]
    assert "filled its 128 MiB of disk. Ask for more disk" in found["message"]
    assert found["line"] > 0
