"""Read one's own notices and settings of e-mail."""

from __future__ import annotations

from imagefactory.kernel import env


def mail_configured() -> bool:
    """Whether this factory can send e-mail; without it people are told in the pages only."""
    return bool(env.get().mail_host)
