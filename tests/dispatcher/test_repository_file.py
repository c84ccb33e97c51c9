"""`image-factory.yaml` in a real repository, through the dispatcher: merged, checked again, kept with the execution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.domain.builds import selectors
from imagefactory.domain.builds.models import Build
from imagefactory.domain.builds.services.submit import rerun_build, submit_build
from imagefactory.domain.projects.services import create_credential, set_source
from imagefactory.executors.fake import FakeExecutor
from imagefactory.executors.local.executor import LocalExecutor
from imagefactory.kernel import env
from tests.conftest import World, make_world
from tests.dispatcher.parts import Repository, ended, log_text

pytestmark = [pytest.mark.real, pytest.mark.committed, pytest.mark.django_db(transaction=True)]

FILE = """version: v1
build:
  dockerfile: docker/Dockerfile
  tags: [edge, "1.2"]
  build_args: {GREETING: hello, WHO: file}
  secrets: [deploy-token]
  limits:
    memory_mib: 256
"""
DOCKERFILE = 'FROM scratch\nARG GREETING\nARG WHO\nLABEL greeting="$GREETING $WHO"\nCOPY hello /hello\n'
SECRET = "value-of-the-deploy-token"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repositories" / "app")
    made.commit({"docker/Dockerfile": DOCKERFILE, "hello": "hi\n", "image-factory.yaml": FILE})
    return made


def world_with(repository: Repository) -> World:
    world = make_world()
    set_source(world.actor("owner"), world.project.id, kind="git", source={"url": repository.url})
    create_credential(world.actor("owner"), world.project.id, name="deploy-token", kind="build_secret", secret=SECRET)
    return world


def test_the_file_gives_defaults_and_what_was_asked_for_wins(
    registry: str, helper: LocalExecutor, hosts: Callable[..., Any], store: FileLogStore, repository: Repository
) -> None:
    world = world_with(repository)
    hosts(helper, **repository.allowed)
    build = submit_build(world.actor("member"), world.project.id, {"build_args": {"WHO": "me"}})
    done = ended(world, build.id)
    text = log_text(store, world, build.id)
    assert done.status == "succeeded", text
    assert done.image["tags"] == ["edge", "1.2"]
    assert (
        "image-factory.yaml sets build_args.GREETING, dockerfile, limits.memory_mib, secrets, tags" in text.splitlines()
    )
    facts = selectors.get_execution(world.actor("viewer"), build.id).facts
    assert facts["manifest"]["build_args"] == {"GREETING": "hello", "WHO": "me"}
    assert facts["manifest"]["limits"]["memory_mib"] == 256
    assert facts["manifest"]["limits"]["cpu"] == env.get().build_cpus
    where = facts["origins"]
    assert (where["build_args.WHO"], where["build_args.GREETING"]) == ("submission", "repository file")
    assert (where["tags"], where["context"], where["platform"]) == ("repository file", "project", "installation")
    assert facts["commit"] == done.commit
    from imagefactory.domain.images.selectors import get_image

    latest = get_image(world.actor("viewer"), world.project.slug).latest
    assert latest is not None
    assert latest.config["Labels"]["greeting"] == "hello me"
    # A rerun with a change keeps what was asked for, and the file stays below it.
    again = rerun_build(world.actor("member"), build.id, {"tags": ["mine"]})
    done = ended(world, again.id)
    facts = selectors.get_execution(world.actor("viewer"), again.id).facts
    assert done.image["tags"] == ["mine"]
    assert (facts["origins"]["tags"], facts["origins"]["dockerfile"]) == ("submission", "repository file")
    assert facts["manifest"]["build_args"] == {"GREETING": "hello", "WHO": "me"}


def test_a_secret_that_the_file_names_is_hidden_in_the_log(
    registry: str, hosts: Callable[..., Any], fake: FakeExecutor, store: FileLogStore, repository: Repository
) -> None:
    world = world_with(repository)
    repository.commit({"docker/Dockerfile": f"FROM scratch\nRUN echo {SECRET}\nFRMO\n"})
    hosts(fake, **repository.allowed)
    build = submit_build(world.actor("member"), world.project.id, {})
    repository.commit({"docker/Dockerfile": DOCKERFILE}, message=f"Use {SECRET}")
    assert ended(world, build.id).status == "failed"
    second = submit_build(world.actor("member"), world.project.id, {})
    ended(world, second.id)
    for each in (build, second):
        assert SECRET not in log_text(store, world, each.id)
    assert "***" in log_text(store, world, second.id)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("version: v1\nbuild:\n  tags: [a\n  target: x\n", "image-factory.yaml, line 4 is not valid YAML"),
        ("version: v1\nbuild:\n  tagz: [a]\n", "image-factory.yaml, line 3: build.tagz is not a field"),
        ("version: v1\nbuild:\n  tags: [a b]\n", 'line 3: build.tags "a b" is not allowed as a tag'),
        ("version: v1\nbuild:\n  limits: {cpu: 200}\n", "line 3: build.limits.cpu: This installation allows at most"),
        ("version: v1\nbuild:\n\n  timeout_seconds: 86400\n", "line 4: build.timeout_seconds: This installation"),
        (
            "version: v1\nbuild:\n  secrets: [nothing]\n",
            "line 3: build.secrets: This project has no build secret nothing",
        ),
        ("version: v1\nbuild:\n  method: packer\n", 'line 3: build.method "packer" is not available yet'),
        ("version: v1\nbuild:\n  a: &a [x]\n  b: [*a, *a]\n", "line 4 uses a YAML alias"),
        ("#" * 70_000, "image-factory.yaml is larger than 64 KiB"),
        (None, "image-factory.yaml is a link; make it a file."),
    ],
)
def test_a_wrong_file_fails_the_build_in_fetch_with_file_and_line(
    hosts: Callable[..., Any], fake: FakeExecutor, repository: Repository, file: str | None, sentence: str
) -> None:
    world = world_with(repository)
    if file is None:
        (repository.place / "image-factory.yaml").unlink()
        (repository.place / "image-factory.yaml").symlink_to("/etc/hostname")
        repository.commit({})
    else:
        repository.commit({"image-factory.yaml": file})
    hosts(fake, **repository.allowed)
    build = submit_build(world.actor("member"), world.project.id, {})
    failure = ended(world, build.id).failure
    assert (failure["code"], failure["stage"], failure["who"]) == ("repository_file_invalid", "fetch", "you")
    assert sentence in failure["message"]
    assert failure["message"].startswith("image-factory.yaml")
    assert failure["line"] > 0


def test_a_build_from_before_origins_keeps_all_that_it_asked_for(
    registry: str, hosts: Callable[..., Any], fake: FakeExecutor, repository: Repository
) -> None:
    world = world_with(repository)
    build = submit_build(world.actor("member"), world.project.id, {"dockerfile": "docker/Dockerfile"})
    Build.objects.filter(id=build.id).update(origins=None)
    hosts(fake, **repository.allowed)
    ended(world, build.id)
    facts = selectors.get_execution(world.actor("viewer"), build.id).facts
    assert (facts["manifest"]["tags"], facts["origins"]["tags"]) == (["latest"], "submission")
