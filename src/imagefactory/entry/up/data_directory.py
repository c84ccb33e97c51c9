"""What may be wrong with a data directory before the one who starts the factory touches it."""

from __future__ import annotations

import fnmatch
import os

from imagefactory.adapters.postgres import embedded
from imagefactory.adapters.postgres.errors import PostgresError
from imagefactory.entry.up import site as sites
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import SERVICE_USER, Site, user_name

_OTHERWISE = "or set IMAGEFACTORY_DATA_DIR to a directory of your own"
# What may lie in a data directory whose VERSION was not yet written: the first start was cut off, a fresh file system,
# or what `make up` puts below /var/lib/imagefactory.
_EARLY = (
    "supervisor", "process-logs", "builds", "run", "secrets", "registry", "blobs", "build-logs", "postgres*",
    "lost+found", "venv-*", ".*",
)  # fmt: skip
_STATE = ("postgres", "registry", "blobs", "build-logs")


def problems(site: Site) -> list[str]:
    """Return every reason why `up` may not use the data directory, a sentence each. Changes nothing."""
    found = []
    for look in (_kind, _owner, _writable, sites.check, _contents, _owner_of_state, _database):
        try:
            look(site)
        except (StartError, PostgresError) as error:
            found.append(str(error))
        except PermissionError as error:
            # Whoever may not look in is told by the checks of owner and rights.
            if not found:
                found.append(f"Cannot look into {error.filename}. Start as the owner of {site.data}, {_OTHERWISE}.")
    return found


def _kind(site: Site) -> None:
    place = sites.existing(site.data)
    if not place.is_dir():
        raise StartError(f"{place} is not a directory, so {site.data} cannot be one. Remove it, {_OTHERWISE}.")


def _owner(site: Site) -> None:
    """Refuse another's directory: its owner could replace what root would run, or could not start it again."""
    if not site.data.is_dir() or (owner := site.data.stat().st_uid) == os.geteuid():
        return
    name = user_name(owner)
    if os.geteuid() == 0 and name == SERVICE_USER:
        raise StartError(f"{site.data} belongs to {name}, and must be root's. Run `chown root:root {site.data}`.")
    raise StartError(
        f"The data directory {site.data} belongs to the user {name}, and this is {user_name(os.geteuid())}. Start as {name}, "
        f"{_OTHERWISE}."
    )


def _writable(site: Site) -> None:
    place = sites.existing(site.data)
    mine = place != site.data or site.data.stat().st_uid == os.geteuid()
    if place.is_dir() and mine and not os.access(place, os.W_OK | os.X_OK):
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        why = "its file system is mounted read-only" if read_only else f"{user_name(os.geteuid())} may not write there"
        raise StartError(
            f"The data directory {site.data} cannot be written: {why} ({place}). Give the right to write, {_OTHERWISE}."
        )


def _contents(site: Site) -> None:
    if not site.data.is_dir() or (site.data / "VERSION").exists():
        return
    strange = [
        path.name for path in site.data.iterdir() if not any(fnmatch.fnmatch(path.name, known) for known in _EARLY)
    ]
    if strange:
        raise StartError(
            f"{site.data} is not a factory's data directory: it has no VERSION and holds {', '.join(sorted(strange)[:3])}. "
            "Set IMAGEFACTORY_DATA_DIR to an empty or new directory. Nothing was changed."
        )


def _owner_of_state(site: Site) -> None:
    """Refuse state that its processes could not read, as after a backup was put back by another user."""
    wanted = site.account.uid if site.account else os.geteuid()
    wrong = [name for name in _STATE if (site.data / name).is_dir() and (site.data / name).stat().st_uid != wanted]
    if wrong:
        paths = " ".join(str(site.data / name) for name in wrong)
        user = user_name(wanted)
        raise StartError(
            f"{', '.join(wrong)} in {site.data} belong{'s' if len(wrong) == 1 else ''} to another user than {user}, whose "
            f"processes need {'it' if len(wrong) == 1 else 'them'}. As root: chown -R {user}: {paths}"
        )


def _database(site: Site) -> None:
    if not site.settings.database_url and embedded.data_path(site.data).is_dir():
        embedded.check_version(site.data)
