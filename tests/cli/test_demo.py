"""The demo's own parts: packing, signing in twice, the password's file, and which bases it looks after."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from imagefactory.domain.builds import queue
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.entry.cli import bases, demo
from imagefactory.entry.cli.bases import bases_of
from imagefactory.entry.cli.client import ApiFailure
from imagefactory.kernel.env import Settings
from tests.conftest import DOCKERFILE


@pytest.fixture
def example(tmp_path: Path) -> Path:
    place = tmp_path / "example"
    (place / "app").mkdir(parents=True)
    (place / "Dockerfile").write_text(DOCKERFILE)
    (place / "app" / "main.py").write_text("print()")
    return place


def test_packing_the_same_files_gives_the_same_bytes_and_follows_no_link(example: Path) -> None:
    (example / "link").symlink_to("/etc/passwd")
    packed = demo.pack(example)
    assert packed == demo.pack(example)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getnames() == ["Dockerfile", "app/main.py"]


def test_a_directory_without_a_dockerfile_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ApiFailure, match="holds no Dockerfile"):
        demo.pack(tmp_path)


def test_only_images_of_the_library_are_looked_after() -> None:
    text = "FROM python:3.11 AS a\nFROM other/app:1\nCOPY --from=a /x /x\nCOPY --from=quay.test/b:2 /y /y\n"
    assert [str(base) for base in bases_of(text, "here:3000")] == ["here:3000/library/python:3.11"]


def test_a_tag_without_a_recipe_is_never_made_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(bases, "is_there", lambda *_: False)
    monkeypatch.setattr(
        bases, "_make", lambda _settings, _recipe, repository, tag, _say: made.append(f"{repository}:{tag}")
    )
    for image in ("python:3.12", "python:3.11", "debian:12", "debian"):
        bases.ensure_base_images(Settings(), bases_of(f"FROM {image}\n", "here:3000"), lambda _: None)
    assert sorted(made) == ["library/debian:12", "library/python:3.11"]


def test_another_release_of_debian_is_refused_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"VERSION_CODENAME": "trixie"})
    with pytest.raises(ApiFailure, match="this machine has trixie"):
        bases._bootstrap(bases.RECIPES["library/debian:12"], tmp_path / "root.tar", lambda _: None)


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_the_second_run_signs_in_with_the_password_of_the_first_and_builds_in_the_same_project(
    live_server: Any, tmp_path: Path, example: Path
) -> None:
    (tmp_path / "data" / "secrets").mkdir(parents=True)
    settings = Settings(data_dir=tmp_path / "data", public_url=live_server.url)
    first, password = demo.sign_in(settings)
    kept = settings.data_dir / "secrets" / "demo.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["password"] == password
    one = demo.submit(first, demo.ensure_project(first), demo.pack(example))
    second, again = demo.sign_in(settings)
    assert again == password
    two = demo.submit(second, demo.ensure_project(second), demo.pack(example))
    assert (one["project_id"], one["number"]) == (two["project_id"], two["number"] - 1)
    for client in (first, second):
        client.http.close()


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_an_example_that_did_not_change_is_not_built_again_while_its_image_is_there(
    live_server: Any, tmp_path: Path, example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "secrets").mkdir(parents=True)
    settings = Settings(data_dir=tmp_path / "data", public_url=live_server.url)
    client, _ = demo.sign_in(settings)
    project, archive = demo.ensure_project(client), demo.pack(example)
    there = {"sha256:1": True}
    monkeypatch.setattr(demo, "is_there", lambda _settings, path, digest: path == "demo/hello-web" and there[digest])
    assert demo.built_before(settings, client, project, archive) is None
    build = demo.submit(client, project, archive)
    assert demo.built_before(settings, client, project, archive) is None
    claim = queue.claim("test")
    assert claim is not None
    execution.begin(claim, ["fetch"])
    execution.finish(claim, BuildStatus.SUCCEEDED, image={"path": "demo/hello-web", "digest": "sha256:1"})
    found = demo.built_before(settings, client, project, archive)
    assert found is not None
    assert found["id"] == build["id"]
    (example / "app" / "main.py").write_text("print(1)")
    assert demo.built_before(settings, client, project, demo.pack(example)) is None
    there["sha256:1"] = False
    assert demo.built_before(settings, client, project, archive) is None
    client.http.close()
