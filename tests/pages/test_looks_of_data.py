"""What pages make of awkward data: many tags, addresses that lead nowhere, stages that a cancellation ended, the API's page."""

from __future__ import annotations

import dataclasses
import types
from typing import Any

import pytest
from django.test import Client

from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.images.services import Published, record_image
from imagefactory.entry.api import reference
from imagefactory.entry.api.site import api
from imagefactory.entry.web.log_pages import stage_status
from imagefactory.entry.web.rights import LABELS
from imagefactory.entry.web.templatetags.factory import few_tags, tag_cell
from imagefactory.kernel.actor import system
from tests.conftest import World
from tests.pages.test_pages import DIGEST, Scene, client


def test_many_tags_show_the_newest_name_and_how_many_more() -> None:
    tags = ["1.0", "1.1", "1.2", "1.3", "latest"]
    assert few_tags(tags) == "latest, 1.0, 1.1 and 2 more"
    assert few_tags(["1.0"]) == "1.0"
    cell = tag_cell(tags)
    assert ">latest</span>" in cell
    assert "and 4 more" in cell
    assert "untagged" in tag_cell([])
    assert "more" not in tag_cell(["a", "b"])


def test_a_version_with_many_tags_lists_them_all_on_its_page_only(world: World) -> None:
    scene = Scene(world)
    record_image(
        system("dispatcher"), tenant_id=world.tenant_id, project_id=world.project.id,
        published=Published(f"{world.tenant_slug}/{world.project.slug}", DIGEST, "application/x", 10, [], {}, []),
        tags=[f"2026.11.{n}" for n in range(40)], origin={"kind": "push"},
    )  # fmt: skip
    owner = client(world, "owner")
    listed = owner.get(f"/t/{world.tenant_slug}/images").content.decode()
    assert "and 40 more" in listed
    page = owner.get(scene.address("image-version")).content.decode()
    assert all(f">2026.11.{n}</li>" in page for n in range(40))


@pytest.mark.parametrize(("role", "framed"), [("viewer", True), ("stranger", False), ("anonymous", False)])
def test_an_address_that_leads_nowhere_keeps_the_frame_for_members_only(
    world: World, role: str, *, framed: bool
) -> None:
    answer = client(world, role).get(f"/t/{world.tenant_slug}/no-such-page")
    page = answer.content.decode()
    assert answer.status_code == 404
    assert ('aria-label="Team"' in page) is framed
    assert "Error 404" in page


def test_a_stage_that_a_cancellation_ended_did_not_fail() -> None:
    def shown(attempt: str, stage: str) -> str:
        made: Any = types.SimpleNamespace
        return stage_status(made(status=stage), made(status=attempt))

    assert shown("cancelled", "failed") == "cancelled"
    assert shown("cancelled", "succeeded") == "succeeded"
    assert shown("failed", "failed") == "failed"


def test_every_permission_has_words() -> None:
    assert set(LABELS) == set(Permission)
    assert len(set(LABELS.values())) == len(LABELS)


def test_the_api_page_shows_every_operation_with_its_permission(world: World) -> None:
    document = api.get_openapi_schema()
    operations = [o for a in reference.areas(document) for o in a.operations]
    assert len(operations) == sum(len(routes) for routes in document["paths"].values())
    assert len({o.anchor for o in operations}) == len(operations)
    assert all(o.permission for o in operations)
    submit = next(o for o in operations if o.method == "POST" and o.path.endswith("/uploads"))
    assert [dataclasses.astuple(f) for f in submit.fields if f.place == "form"] != []
    page = Client().get("/api/docs").content.decode()
    assert all(f'id="{o.anchor}"' in page for o in operations)
    browser = Client()
    browser.force_login(User.objects.get(id=world.users["viewer"]))
    assert 'aria-label="Team"' in browser.get(f"/api/docs?tenant={world.tenant_slug}").content.decode()
    assert 'aria-label="Team"' not in browser.get("/api/docs?tenant=none-such").content.decode()


@pytest.mark.parametrize("query", ["since:1900-01-01", "until:1900-01-01", "since:0001-01-01", "until:9999-12-31"])
def test_a_day_far_from_now_filters_and_is_no_error(world: World, query: str) -> None:
    Scene(world)
    answer = client(world, "owner").get(f"/t/{world.tenant_slug}/builds", {"q": query})
    assert answer.status_code == 200
    assert ("No build matches" in answer.content.decode()) is (query == "until:1900-01-01")
