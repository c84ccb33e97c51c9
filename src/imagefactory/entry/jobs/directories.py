"""The job that looks who left the directories: whoever is gone from one is signed out."""

from __future__ import annotations

import logging
import uuid

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import DirectoryUnavailable, ProviderNotFound
from imagefactory.domain.identity.services.directory import knows
from imagefactory.kernel import env
from imagefactory.kernel.actor import system
from imagefactory.kernel.errors import Unavailable

log = logging.getLogger("imagefactory.directories")
_BATCH = 200


def look_who_left() -> int:
    """Ask each enabled directory for everyone who came through it, sign out whom it no longer knows, and return how many.

    A directory that does not answer says nothing about anyone. Safe to run at any time.
    """
    ended = 0
    for provider_id in selectors.directories():
        try:
            ended += _look(provider_id)
        except (DirectoryUnavailable, ProviderNotFound, Unavailable) as error:
            log.warning("directory %s was not looked through: %s", provider_id, error)
    return ended


def look_when_due(timestamp: int) -> int:
    """Look in those minutes that the setting names; the job itself comes every minute."""
    if timestamp // 60 % env.get().directory_check_minutes:
        return 0
    return look_who_left()


def _look(provider_id: uuid.UUID) -> int:
    found, after, ended = selectors.connection(provider_id), None, 0
    while batch := selectors.people_known_to(provider_id, after, _BATCH):
        gone = [identity for identity, subject in batch if not knows(found, subject)]
        ended += services.sessions_ended(provider_id, gone, system("directories"))
        after = batch[-1][0]
    return ended
