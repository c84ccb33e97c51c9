"""Times on pages are in the zone that the reader chose."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from django.utils import timezone

from imagefactory.domain.identity.models import User
from tests.conftest import World
from tests.pages.test_pages import client


def test_times_are_shown_in_the_readers_zone_and_only_to_them(world: World) -> None:
    """Tokyo has no summer time, so its name and its distance from UTC hold all year."""
    User.objects.filter(id=world.users["owner"]).update(time_zone="Asia/Tokyo")
    page = f"/t/{world.tenant_slug}/people"
    assert ' JST"' in client(world, "owner").get(page).content.decode()
    assert timezone.get_current_timezone_name() == "UTC"
    theirs = client(world, "viewer").get(page).content.decode()
    assert ' JST"' not in theirs


def test_a_zone_that_is_gone_leaves_utc(world: World) -> None:
    User.objects.filter(id=world.users["owner"]).update(time_zone="Moon/Base")
    answer = client(world, "owner").get(f"/t/{world.tenant_slug}/people")
    assert answer.status_code == 200
    assert dt.datetime.now(zoneinfo.ZoneInfo("UTC")).strftime("%Z") in answer.content.decode()
