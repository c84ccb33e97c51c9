"""The profile of a tenant: checked, compared before it is written, and its logo told by its bytes."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import StaleTenant
from imagefactory.domain.identity.models import RetiredSlug, Tenant
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import NotFound, PermissionDenied, TooLarge, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from imagefactory.kernel.pictures import picture_of
from tests.conftest import World, make_world
from tests.pictures import PNG, SVG, jpeg, png, webp


def test_a_change_is_told_with_before_and_after_and_raises_the_version(world: World) -> None:
    owner = world.actor("owner")
    services.update_tenant(
        owner, world.tenant_id, name="Payments", time_zone="Europe/Oslo", contact_email="a@example.com"
    )
    profile = selectors.tenant_profile(world.tenant_id)
    assert (profile.name, profile.time_zone, profile.contact_email, profile.version) == (
        "Payments", "Europe/Oslo", "a@example.com", 2,
    )  # fmt: skip
    event = OutboxEvent.objects.filter(type="tenant.changed").get()
    assert event.payload["before"] == {"name": world.tenant_slug, "time_zone": "UTC", "contact_email": ""}
    assert event.payload["after"] == {"name": "Payments", "time_zone": "Europe/Oslo", "contact_email": "a@example.com"}


def test_the_same_again_changes_nothing_and_tells_nothing(world: World) -> None:
    services.update_tenant(world.actor("owner"), world.tenant_id, time_zone="UTC", language="en")
    assert selectors.tenant_profile(world.tenant_id).version == 1
    assert not OutboxEvent.objects.filter(type="tenant.changed").exists()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "Give the team a name"),
        ("name", "x" * 121, "at most 120"),
        ("name", "pay\u202epal", "U+202E"),
        ("name", "pay\u200bpal", "U+200B"),
        ("name", "pay\x07pal", "U+0007"),
        ("time_zone", "Mars/Olympus", "no such time zone"),
        ("language", "tlh", "Choose one of"),
        ("contact_email", "nobody", "not an e-mail address"),
        ("support_email", "a@" + "b" * 260 + ".example", "e-mail address"),
    ],
)
def test_bad_fields_are_refused_in_a_sentence(world: World, field: str, value: str, says: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        services.update_tenant(world.actor("owner"), world.tenant_id, **{field: value})  # type: ignore[arg-type]
    assert says in " ".join(refused.value.fields[field])
    assert selectors.tenant_profile(world.tenant_id).version == 1


def test_the_short_name_stays_and_the_refusal_says_why(world: World) -> None:
    owner = world.actor("owner")
    with pytest.raises(ValidationFailed) as refused:
        services.update_tenant(owner, world.tenant_id, slug="other")
    assert "names of images" in refused.value.fields["slug"][0]
    services.update_tenant(owner, world.tenant_id, slug=world.tenant_slug, name="As before")


@pytest.mark.parametrize(
    ("slug", "says"),
    [
        ("p\u0430ypal", "CYRILLIC SMALL LETTER A"),
        ("payp\u0430l", "U+0430"),
        ("\uff50ay", "FULLWIDTH LATIN SMALL LETTER P"),
        ("caf\u00e9", "LATIN SMALL LETTER E WITH ACUTE"),
        ("-pay", "1 to 40"),
        ("admin", "taken"),
        ("gone", "taken"),
    ],
)
def test_a_short_name_has_plain_letters_and_is_nobodys(world: World, slug: str, says: str) -> None:
    RetiredSlug.objects.create(slug="gone", tenant_id=world.tenant_id, retired_at=now())
    with pytest.raises(ValidationFailed) as refused:
        services.create_tenant(world.actor("owner"), name="Pay", slug=slug)
    assert says in refused.value.fields["slug"][0]


def test_who_may_change_it(world: World) -> None:
    for role in ("admin", "member", "viewer"):
        with pytest.raises(PermissionDenied):
            services.update_tenant(world.actor(role), world.tenant_id, name="Mine")
    with pytest.raises(NotFound):
        services.update_tenant(world.actor("stranger"), world.tenant_id, name="Mine")
    Tenant.objects.filter(id=world.tenant_id).update(state="suspended")
    with pytest.raises(PermissionDenied) as refused:
        services.update_tenant(world.actor("owner"), world.tenant_id, name="Mine")
    assert refused.value.code == "tenant_suspended"


@pytest.mark.parametrize(
    ("content", "kind"), [(PNG, "png"), (jpeg(640, 480), "jpeg"), (webp(1024, 1), "webp")], ids=["png", "jpeg", "webp"]
)
def test_a_logo_is_what_its_bytes_say(world: World, content: bytes, kind: str) -> None:
    services.set_logo(world.actor("owner"), world.tenant_id, content)
    found = selectors.logo_of(world.tenant_id)
    assert found is not None
    assert (found[0], found[2]) == (f"image/{kind}", content)
    services.remove_logo(world.actor("owner"), world.tenant_id)
    assert selectors.logo_of(world.tenant_id) is None
    assert OutboxEvent.objects.filter(type="tenant.changed").count() == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (SVG, "SVG can carry scripts"),
        (b"<html>", "Upload a PNG"),
        (b"", "Upload a PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"no header at all", "Upload a PNG"),
        (PNG[:20], "Upload a PNG"),
        (b"\xff\xd8\xff\xe0\xff\xff", "Upload a PNG"),
        (b"RIFF", "Upload a PNG"),
        (png(1025, 4), "1025 by 4"),
        (webp(4, 2000), "4 by 2000"),
        (jpeg(0, 0), "0 by 0"),
    ],
    ids=range(10),
)
def test_what_is_no_small_picture_is_refused(world: World, content: bytes, says: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        services.set_logo(world.actor("owner"), world.tenant_id, content)
    assert says in refused.value.fields["logo"][0]
    assert selectors.logo_of(world.tenant_id) is None


def test_a_logo_that_is_too_large_is_refused(world: World) -> None:
    with pytest.raises(TooLarge):
        services.set_logo(world.actor("owner"), world.tenant_id, PNG + bytes(services.MAX_LOGO_BYTES))


@pytest.mark.parametrize("kind", ["VP8 ", "VP8L"])
def test_the_other_two_kinds_of_webp_say_their_size_too(kind: str) -> None:
    bits = {"VP8 ": b"\0\0\0\x9d\x01\x2a\x10\x00\x20\x00", "VP8L": b"\x2f" + (15 | 31 << 14).to_bytes(4, "little")}[
        kind
    ]
    found = picture_of(b"RIFF" + bytes(4) + b"WEBP" + kind.encode() + bytes(4) + bits)
    assert found is not None
    assert (found.width, found.height) == (16, 32)


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_of_two_changes_made_from_the_same_page_one_is_told_to_reload() -> None:
    world = make_world()
    owner, start, refused = world.actor("owner"), threading.Barrier(2), []

    def change(name: str) -> None:
        start.wait(10)
        try:
            services.update_tenant(owner, world.tenant_id, if_version=1, name=name)
        except StaleTenant as error:
            refused.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=change, args=(name,)) for name in ("One", "Two")]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert refused == ["precondition_failed"]
    assert selectors.tenant_profile(world.tenant_id).version == 2
