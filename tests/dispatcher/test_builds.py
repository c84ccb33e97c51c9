"""From submission to an image in the registry: real buildah in its jail, real registry, real tokens."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.domain.builds import selectors
from imagefactory.domain.builds.services.cancel import cancel_build
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.images.selectors import get_image
from imagefactory.domain.projects.services import create_credential
from imagefactory.executors.base import Executor
from imagefactory.executors.local.executor import LocalExecutor
from tests.conftest import World, make_world
from tests.dispatcher.fault_parts import ended
from tests.dispatcher.waiting import wait_for

pytestmark = [pytest.mark.real, pytest.mark.committed, pytest.mark.django_db(transaction=True)]
BUSYBOX = "/bin/busybox"


def manifest(dockerfile: str, **more: Any) -> dict[str, Any]:
    return {
        "source": {"kind": "inline", "files": {"hello": "hi"}},
        "dockerfile": {"inline": dockerfile},
        **more,
    }


def log_text(store: FileLogStore, world: World, build_id: uuid.UUID) -> str:
    execution = selectors.get_execution(world.actor("owner"), build_id)
    wait_for(lambda: store.state(str(execution.id)).finished, 10)
    return "\n".join(line.text for line in store.read(str(execution.id), 0, 10_000))


def test_a_build_from_scratch_ends_as_a_recorded_image_that_can_be_pulled_by_its_digest(
    registry: str,
    helper: LocalExecutor,
    hosts: Callable[[Executor], Any],
    store: FileLogStore,
    tmp_path: Path,
) -> None:
    world = make_world()
    hosts(helper)
    build = submit_build(
        world.actor("member"),
        world.project.id,
        manifest("FROM scratch\nCOPY hello /hello\n", tags=["v1", "latest"]),
    )
    done = ended(world, build.id)
    assert done.status == "succeeded", log_text(store, world, build.id)
    execution = selectors.get_execution(world.actor("viewer"), build.id)
    assert [(s.name, s.status) for s in execution.stages] == [
        ("fetch", "succeeded"), ("lint", "succeeded"), ("build", "succeeded"), ("publish", "succeeded"),
    ]  # fmt: skip
    assert execution.isolation["level"] == "jail"
    text = log_text(store, world, build.id)
    assert "COPY hello /hello" in text
    assert f"Pushed {done.image['reference']}:v1" in text
    image = get_image(world.actor("viewer"), world.project.slug)
    assert image.latest is not None
    assert image.latest.digest == done.image["digest"]
    assert set(image.latest.tags) == {"v1", "latest"}
    # A viewer pulls with an API key; a stranger does not.
    reference = f"docker://{done.image['reference']}@{done.image['digest']}"
    for role, works in (("viewer", True), ("stranger", False)):
        pulled = subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"--src-creds=x:{world.token(role)}",
             reference, f"oci:{tmp_path}/{role}:x"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (pulled.returncode == 0) is works, pulled.stderr


def test_a_failing_step_fails_the_build_with_its_exit_code_and_the_line(
    registry: str, helper: LocalExecutor, hosts: Callable[[Executor], Any], store: FileLogStore
) -> None:
    world = make_world()
    hosts(helper)
    build = submit_build(world.actor("owner"), world.project.id, manifest("FROM scratch\nCOPY missing /x\n"))
    done = ended(world, build.id)
    assert done.status == "failed"
    assert done.failure["code"] == "step_failed"
    assert done.failure["line"] > 0
    stages = {s.name: s.status for s in selectors.get_execution(world.actor("owner"), build.id).stages}
    assert stages == {"fetch": "succeeded", "lint": "succeeded", "build": "failed", "publish": "skipped"}


def test_an_unknown_base_image_is_told_before_anything_is_built(
    registry: str, helper: LocalExecutor, hosts: Callable[[Executor], Any]
) -> None:
    from imagefactory.kernel import env

    world, other = make_world(), make_world()
    hosts(helper)
    for name in (
        f"{env.get().host}/library/nothing:1",
        f"{env.get().host}/{other.tenant_slug}/checkout-api:latest",
    ):
        build = submit_build(world.actor("owner"), world.project.id, manifest(f"FROM {name}\nCOPY hello /x\n"))
        assert ended(world, build.id).failure["code"] == "unknown_base_image"


def test_a_secret_that_is_printed_is_masked_and_one_that_is_copied_stops_the_image(
    registry: str, helper: LocalExecutor, hosts: Callable[[Executor], Any], store: FileLogStore
) -> None:
    world = make_world()
    value = "s3cr3t-value-of-the-tenant"
    create_credential(world.actor("owner"), world.project.id, name="token", kind="build_secret", secret=value)
    hosts(helper)
    base = "FROM scratch\nCOPY hello /hello\n"
    leak = {"source": {"kind": "inline", "files": {"hello": value}}}
    build = submit_build(
        world.actor("owner"),
        world.project.id,
        manifest(base, secrets=["token"], labels={"note": value}) | leak,
    )
    done = ended(world, build.id)
    assert done.failure["code"] == "secret_in_image"
    assert value not in log_text(store, world, build.id)


def test_cancel_ends_a_running_build_and_leaves_nothing_on_the_host(
    registry: str, helper: LocalExecutor, hosts: Callable[[Executor], Any]
) -> None:
    world = make_world()
    hosts(helper)
    busybox = Path(BUSYBOX)
    if not busybox.exists():
        pytest.skip("busybox-static is not installed")
    build = submit_build(world.actor("owner"), world.project.id, sleeping(world))
    wait_for(lambda: "STEP" in progress(world, build.id), 60)
    cancel_build(world.actor("admin"), build.id)
    assert ended(world, build.id, 20).status == "cancelled"
    wait_for(lambda: not helper.leftovers(), 15)
    assert not subprocess.run(["pgrep", "-f", "sleep 4711"], capture_output=True, check=False).stdout


def progress(world: World, build_id: uuid.UUID) -> str:
    build = selectors.get_build(world.actor("owner"), build_id)
    if not build.attempts:
        return ""
    text = str(selectors.get_execution(world.actor("owner"), build_id).progress.get("text", ""))
    return "STEP" if "sleep" in text else ""


def sleeping(world: World) -> dict[str, Any]:
    """Return a build that sleeps: busybox comes as an uploaded archive, since it is not text."""
    import io
    import tarfile

    from imagefactory.domain.projects.services import upload_archive

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(BUSYBOX, "busybox")
    packed.seek(0)
    upload = upload_archive(world.actor("owner"), world.project.id, filename="source.tar.gz", content=packed)
    dockerfile = 'FROM scratch\nCOPY busybox /bin/sh\nRUN ["/bin/sh", "-c", "sleep 4711"]\n'
    return {
        "source": {"kind": "archive", "blob": upload.digest, "filename": upload.filename},
        "dockerfile": {"inline": dockerfile},
    }
