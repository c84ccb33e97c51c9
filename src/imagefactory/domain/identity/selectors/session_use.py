"""Notes that a sign-in is used, once a minute at most: it is what the idle time-out counts from."""

from __future__ import annotations

import datetime as dt

from imagefactory.domain.identity.models import AuthSession

_EVERY = dt.timedelta(minutes=1)


def touch(session: AuthSession, moment: dt.datetime) -> None:
    """Keep `moment` as the last use; a clock that went back changes nothing, so no sign-in lives longer for it."""
    if moment - session.last_used_at >= _EVERY:
        AuthSession.objects.filter(id=session.id, last_used_at__lt=moment).update(last_used_at=moment)
