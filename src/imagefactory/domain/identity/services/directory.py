"""Sign-in through a directory (LDAP, Active Directory): django-auth-ldap with the settings of one provider's row.

Everything of python-ldap is imported when first used: it is an extra, and the factory runs without it.
"""

from __future__ import annotations

import importlib.util
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from imagefactory.adapters.identity.addresses import ProviderUnreachable
from imagefactory.domain.identity.errors import DirectoryUnavailable, WrongCredentials
from imagefactory.domain.identity.selectors.providers import ProviderConnection
from imagefactory.domain.identity.services.assertions import Assertion
from imagefactory.domain.identity.services.provider_settings import host_policy

MAX_NAME, MAX_PASSWORD = 256, 1000  # characters

NOT_INSTALLED = (
    "Sign-in through a directory needs python-ldap, which is not installed. Install the Debian packages libldap2-dev, "
    "libsasl2-dev, python3-dev and gcc, then the Python packages of requirements/ldap.lock (docs/how-to/sign-in-with-ldap.md), and "
    "restart the factory."
)


def installed() -> bool:
    """Whether the parts for directories are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("ldap", "django_auth_ldap"))


def sign_in_to_directory(provider: ProviderConnection, username: str, password: str) -> Assertion:
    """Return what the directory says about the person with this name and password.

    Raises WrongCredentials (also for an empty password, which a directory takes for an anonymous bind and answers with
    success), DirectoryUnavailable with a sentence when it cannot be asked.
    """
    username = username.strip()
    if not username or not password or len(username) > MAX_NAME or len(password) > MAX_PASSWORD or "\0" in password:
        raise WrongCredentials
    with directory_person(provider, username) as person:
        if not person.exists() or not person.password_is(password):
            raise WrongCredentials
        said: Assertion = person.assertion()
        return said


def knows(provider: ProviderConnection, subject: str) -> bool:
    """Whether the directory still has an entry for this subject, within the base and filter of people.

    Raises DirectoryUnavailable.
    """
    with directory_person(provider, subject, by_subject=True) as person:
        return bool(person.exists())


@contextmanager
def directory_person(provider: ProviderConnection, name: str, *, by_subject: bool = False) -> Iterator[Any]:
    """Yield the person that the directory has under `name`, connected and bound as the searching account.

    Raises DirectoryUnavailable for whatever the directory does instead of answering.
    """
    if not installed():
        raise DirectoryUnavailable(NOT_INSTALLED)
    import ldap

    from imagefactory.domain.identity.services.directory_backend import person_in

    parts = urlsplit(provider.configuration["url"])
    host = parts.hostname or ""
    policy = host_policy(provider.tenant_id)

    def check_peer(fd: int) -> None:
        with socket.socket(fileno=socket.dup(fd)) as peer:
            policy.check_ip(host, str(peer.getpeername()[0]))

    try:
        policy.resolve(host, parts.port or (636 if parts.scheme == "ldaps" else 389))
        with tempfile.NamedTemporaryFile("w", prefix="directory-ca-", suffix=".pem") as authority:
            authority.write(provider.configuration["ca_certificate"])
            authority.flush()
            person = person_in(provider, name, authority.name, check_peer, by_subject=by_subject)
            try:
                yield person
            finally:
                person.close()
    except ProviderUnreachable as error:
        raise DirectoryUnavailable(error.message) from error
    except ldap.LDAPError as error:
        raise DirectoryUnavailable(
            f"The directory {provider.name} cannot be asked now: {_why(error)}. Nobody can sign in through it until that is "
            "mended; accounts with a password of their own work as always."
        ) from error


def _why(error: Exception) -> str:
    import ldap

    told: Mapping[str, Any] = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    info = str(told.get("info", ""))
    if isinstance(error, ldap.SERVER_DOWN) and "certificate" in info.lower():
        return "its certificate is not valid for its name or not signed by the given authority"
    if isinstance(error, ldap.CONNECT_ERROR):
        return "the protected connection (TLS) could not be made"
    if isinstance(error, ldap.SERVER_DOWN):
        return "it does not answer"
    if isinstance(error, ldap.TIMEOUT):
        return "it takes too long"
    if isinstance(error, ldap.INVALID_CREDENTIALS):
        return "it refuses the name or password of the account that searches"
    if isinstance(error, ldap.NO_SUCH_OBJECT):
        return "there is no entry where its settings say that people or groups are"
    return str(told.get("desc", "it reports an error"))[:100]
