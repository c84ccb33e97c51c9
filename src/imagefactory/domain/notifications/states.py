"""States of an e-mail, and the groups of kinds that a person may have sent or not."""

from __future__ import annotations

import enum


class MailStatus(enum.StrEnum):
    """`queued -> sending -> sent | failed | queued` (again later); `not_sent` from the beginning without a mail server.

    `uncertain`: the worker ended while it was handing the mail over, so it is not handed over again.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    NOT_SENT = "not_sent"


class Group(enum.StrEnum):
    BUILDS = "builds"
    TEAM = "team"
    SECURITY = "security"


# The first word of a kind, such as `builds.failed`; every other word belongs to the team.
_FIRST_WORDS = {
    "build": Group.BUILDS,
    "builds": Group.BUILDS,
    "account": Group.SECURITY,
    "key": Group.SECURITY,
    "keys": Group.SECURITY,
    "security": Group.SECURITY,
    "sign_in": Group.SECURITY,
}
ALWAYS_MAILED = frozenset({Group.SECURITY})


def group_of(kind: str) -> Group:
    """Return the group of a kind of message, which the part before its first dot says."""
    return _FIRST_WORDS.get(kind.partition(".")[0], Group.TEAM)
