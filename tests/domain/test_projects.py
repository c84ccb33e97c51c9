"""Projects: made, changed by compare-and-set, archived, deleted; credentials are never read back."""

from __future__ import annotations

import dataclasses
import io

import pytest

from imagefactory.domain.builds.services.submit import start_build, submit_build
from imagefactory.domain.identity.models import RoleBinding
from imagefactory.domain.projects import selectors, services
from imagefactory.domain.projects.errors import CredentialNotFound, ProjectArchived, ProjectNotFound, StaleProject
from imagefactory.domain.projects.models import Credential, Upload
from imagefactory.kernel.errors import PermissionDenied, ValidationFailed
from tests.conftest import INLINE, World


def test_a_short_name_is_used_once_in_a_tenant_and_is_free_in_another(world: World) -> None:
    with pytest.raises(ValidationFailed) as caught:
        services.create_project(world.actor("owner"), name="Again", slug=world.project.slug)
    assert set(caught.value.fields) == {"slug"}
    assert services.create_project(world.actor("stranger"), name="Again", slug=world.project.slug)


@pytest.mark.parametrize("slug", ["-a", "a-", "A", "a_b", "a" * 41, "library", "api", "å"])
def test_a_bad_short_name_is_refused(world: World, slug: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        services.create_project(world.actor("owner"), name="Good", slug=slug)
    assert set(caught.value.fields) == {"slug"}


def test_only_an_owner_creates_projects(world: World) -> None:
    for role in ("admin", "member", "viewer"):
        with pytest.raises(PermissionDenied):
            services.create_project(world.actor(role), name="Mine")
    assert services.create_project(world.actor("owner"), name="Mine").slug == "mine"


def test_a_change_based_on_an_old_version_is_refused(world: World) -> None:
    admin = world.actor("admin")
    change = {"name": "New name", "description": "", "if_version": world.project.version}
    after = services.update_project(admin, world.project.id, **change)  # type: ignore[arg-type]  # one set for both calls
    assert after.version == world.project.version + 1
    with pytest.raises(StaleProject):
        services.update_project(admin, world.project.id, **change)  # type: ignore[arg-type]  # as above
    assert selectors.get_project(admin, world.project.id).version == after.version


def test_an_archived_project_is_hidden_and_builds_nothing_until_it_is_restored(world: World) -> None:
    owner = world.actor("owner")
    draft = submit_build(owner, world.project.id, INLINE, start=False)
    services.archive_project(owner, world.project.id)
    services.archive_project(owner, world.project.id)
    assert selectors.list_projects(owner)[0] == []
    assert [p.id for p in selectors.list_projects(owner, archived=True)[0]] == [world.project.id]
    with pytest.raises(ProjectArchived):
        submit_build(owner, world.project.id, INLINE)
    with pytest.raises(ProjectArchived):
        start_build(owner, draft.id)
    services.restore_project(owner, world.project.id)
    assert submit_build(owner, world.project.id, INLINE).number == 2
    assert start_build(owner, draft.id).status == "queued"


def test_the_count_of_projects_is_of_the_list_that_it_stands_under(world: World) -> None:
    owner = world.actor("owner")
    services.archive_project(owner, services.create_project(owner, name="Old").id)
    services.create_project(owner, name="Payments")
    for asked, count in (({}, 2), ({"search": "pay"}, 1), ({"archived": True}, 1)):
        assert len(selectors.list_projects(owner, **asked)[0]) == count
        assert selectors.count_projects(owner, **asked) == count


def test_deleting_takes_the_typed_name_and_takes_roles_and_credentials_along(world: World) -> None:
    owner, key = world.actor("owner"), world.project.id
    services.create_credential(owner, key, name="NPM", kind="build_secret", secret="long enough")
    with pytest.raises(ValidationFailed):
        services.delete_project(owner, key, confirm="something else")
    assert selectors.get_project(owner, key)
    services.delete_project(owner, key, confirm=world.project.slug)
    with pytest.raises(ProjectNotFound):
        selectors.get_project(owner, key)
    assert not Credential.objects.filter(project_id=key).exists()
    assert not RoleBinding.objects.filter(project_id=key).exists()
    assert services.create_project(owner, name="Checkout API").slug == world.project.slug


def test_the_value_of_a_credential_is_used_and_never_shown(world: World) -> None:
    owner, key = world.actor("owner"), world.project.id
    made = services.create_credential(owner, key, name="GIT", kind="git_password", secret="hunter2!", username="bot")
    shown = selectors.list_credentials(owner, key)
    assert [(c.id, c.name, c.username) for c in shown] == [(made, "GIT", "bot")]
    assert "hunter2!" not in repr([dataclasses.asdict(c) for c in shown])
    opened = selectors.open_credential(key, made)
    assert opened.secret == "hunter2!"
    assert "hunter2!" not in repr(opened)
    with pytest.raises(ValidationFailed):
        services.create_credential(owner, key, name="GIT", kind="git_password", secret="another")
    services.delete_credential(owner, key, made)
    with pytest.raises(CredentialNotFound):
        selectors.open_credential(key, made)


@pytest.mark.parametrize("secret", ["abc", "  a  ", "x" * 16_385])
def test_a_secret_that_no_log_could_hide_is_refused(world: World, secret: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        services.create_credential(world.actor("owner"), world.project.id, name="A", kind="build_secret", secret=secret)
    assert set(caught.value.fields) == {"secret"}


def test_a_project_has_no_more_credentials_than_its_page_lists(world: World) -> None:
    owner, key = world.actor("owner"), world.project.id
    Credential.objects.bulk_create(
        Credential(project_id=key, name=f"N{n}", kind="build_secret", secret=b"")
        for n in range(selectors.MAX_CREDENTIALS - 1)
    )
    last = services.create_credential(owner, key, name="LAST", kind="build_secret", secret="hunter2!")
    assert last in {c.id for c in selectors.list_credentials(owner, key)}
    with pytest.raises(ValidationFailed, match="1 thing"):
        services.create_credential(owner, key, name="MORE", kind="build_secret", secret="hunter2!")


def test_a_credential_of_another_project_cannot_be_used_or_deleted(world: World) -> None:
    owner = world.actor("owner")
    other = services.create_project(owner, name="Other")
    foreign = services.create_credential(owner, other.id, name="GIT", kind="git_password", secret="hunter2!")
    with pytest.raises(CredentialNotFound):
        services.delete_credential(owner, world.project.id, foreign)
    source = {"url": "https://example.com/a.git"}
    with pytest.raises(ValidationFailed) as caught:
        services.set_source(owner, world.project.id, kind="git", source=source, credential_id=foreign)
    assert set(caught.value.fields) == {"credential_id"}
    kept = services.set_source(owner, other.id, kind="git", source=source, credential_id=foreign)
    assert kept.credential_id == foreign


@pytest.mark.parametrize(
    "url", ["https://u:secret@example.com/a", "ftp://example.com/a", "", "-oProxyCommand=x", "https://a b"]
)
def test_a_repository_address_that_is_dangerous_or_wrong_is_refused(world: World, url: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        services.set_source(world.actor("owner"), world.project.id, kind="git", source={"url": url})
    assert set(caught.value.fields) == {"url"}


def test_an_archive_is_kept_once_by_its_content_and_only_for_those_who_may_build(world: World) -> None:
    def upload(role: str) -> selectors.UploadView:
        content = io.BytesIO(b"the same bytes")
        return services.upload_archive(world.actor(role), world.project.id, filename="../a.tar.gz", content=content)

    first, second = upload("member"), upload("owner")
    assert first.digest == second.digest
    assert (first.filename, first.size_bytes) == ("a.tar.gz", 14)
    with pytest.raises(PermissionDenied):
        upload("viewer")
    with pytest.raises(ProjectNotFound):
        upload("stranger")


def test_an_archive_is_built_from_however_many_were_uploaded_after_it(world: World) -> None:
    owner = world.actor("owner")
    kept = services.upload_archive(owner, world.project.id, filename="a.tar.gz", content=io.BytesIO(b"the first"))
    services.set_source(owner, world.project.id, kind="archive", source={"upload_id": str(kept.id)})
    Upload.objects.bulk_create(
        Upload(project_id=world.project.id, filename="b.tar.gz", digest=f"sha256:{n:064x}", size_bytes=1)
        for n in range(201)
    )
    named = {"source": {"kind": "archive", "blob": kept.digest}}
    for asked in ({}, named):
        assert submit_build(owner, world.project.id, asked).manifest["source"]["blob"] == kept.digest
    with pytest.raises(ValidationFailed):
        submit_build(owner, world.project.id, {"source": {"kind": "archive", "blob": f"sha256:{'f' * 64}"}})
