"""django-auth-ldap, made strict: the settings of one row, errors told instead of swallowed, and no account of its own.

Imported only where python-ldap is installed. It relies on `_LDAPUser`, which that library keeps private: it is the only
place that joins search, bind and groups, and the lock holds its version.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import ldap
import ldap.filter
from django_auth_ldap.backend import LDAPBackend, LDAPSettings, _LDAPUser
from django_auth_ldap.config import (
    GroupOfNamesType,
    GroupOfUniqueNamesType,
    LDAPSearch,
    NestedActiveDirectoryGroupType,
    NestedGroupOfNamesType,
    NestedGroupOfUniqueNamesType,
    PosixGroupType,
)

from imagefactory.domain.identity.selectors.providers import ProviderConnection
from imagefactory.domain.identity.services.assertions import Assertion

CONNECT_SECONDS, ANSWER_SECONDS, MAX_ENTRIES = 5, 10, 500
_BYTES = "bytes:"  # begins the subject of an attribute that is no text
_GROUP_FILTERS = {
    "groupOfNames": "(objectClass=groupOfNames)",
    "groupOfUniqueNames": "(objectClass=groupOfUniqueNames)",
    "posixGroup": "(objectClass=posixGroup)",
    "activeDirectory": "(objectClass=group)",
}


class StrictSearch(LDAPSearch):  # type: ignore[misc]
    """A search that fails when the directory does: an empty answer must mean that nobody is there."""

    def execute(self, connection: Any, filterargs: Any = (), escape: bool = True) -> Any:
        if escape:
            filterargs = self._escape_filterargs(filterargs)
        found = connection.search_ext_s(
            self.base_dn, self.scope, self.filterstr % filterargs, self.attrlist, sizelimit=MAX_ENTRIES
        )
        return self._process_results(found)


class DirectoryBackend(LDAPBackend):  # type: ignore[misc]
    """The library's backend, without accounts: who may come in is decided by `accept_assertion`."""

    def get_or_build_user(self, username: str, ldap_user: Any) -> Any:
        raise RuntimeError("This backend makes no accounts; accept_assertion does.")


class DirectoryPerson(_LDAPUser):  # type: ignore[misc]
    """One person in a directory, over one connection."""

    _connection: Any

    def __init__(
        self, backend: DirectoryBackend, name: str, provider: ProviderConnection, check_peer: Callable[[int], None]
    ) -> None:
        super().__init__(backend, username=name)
        self._provider = provider
        self._check_peer = check_peer

    def _get_connection(self) -> Any:
        if self._connection is None:
            made = super()._get_connection()
            # StartTLS connects; ldaps:// connects with the first request, which asks for nothing but who we are.
            if not self.settings.START_TLS:
                self._connect_now(made)
            self._check_peer(made.get_option(ldap.OPT_DESC))
        return self._connection

    @staticmethod
    def _connect_now(connection: Any) -> None:
        try:
            connection.search_ext_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["1.1"], timeout=ANSWER_SECONDS)
        except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT):
            raise
        except ldap.LDAPError:
            return  # connected, and it answers nobody who is not bound: that comes next

    def _search_for_user_dn(self) -> str | None:
        found = list(self.settings.USER_SEARCH.execute(self.connection, {"user": self._username}))
        if len(found) != 1:  # two people under one name are nobody
            return None
        dn, self._user_attrs = found[0]
        return str(dn)

    def exists(self) -> bool:
        return self.dn is not None

    def password_is(self, password: str) -> bool:
        """Whether the directory takes this password for the person; an empty one never."""
        if not password:
            return False
        try:
            self._authenticate_user_dn(password)
        except self.AuthenticationFailed:
            return False
        except (ldap.UNWILLING_TO_PERFORM, ldap.INAPPROPRIATE_AUTH, ldap.CONSTRAINT_VIOLATION):
            return False  # locked, expired or without a password
        return True

    def assertion(self) -> Assertion:
        """Return what the directory says about the person, their groups included."""
        settings = self._provider.configuration
        return Assertion(
            subject=self._first(settings["id_attribute"]) or "",
            email=self._first(settings["email_attribute"]) or "",
            email_verified=True,  # the directory is where the address is given out
            name=self._first(settings["name_attribute"]) or "",
            groups=self._all_groups(),
        )

    def _all_groups(self) -> list[str] | None:
        if not self._provider.configuration["group_base"]:
            return None
        return sorted({*self.group_dns, *(str(name) for name in self.group_names if name)})

    def _first(self, attribute: str) -> str | None:
        values = (self.attrs or {}).get(attribute) or [None]
        value = values[0]
        # objectGUID of Active Directory is bytes.
        return f"{_BYTES}{value.hex()}" if isinstance(value, bytes) else value

    def connect(self) -> None:
        """Connect without binding; the certificate was checked then."""
        self._get_connection()

    def count(self, base: str, wanted: str) -> int:
        """Return how many entries below `base` fit, at most MAX_ENTRIES."""
        try:
            found = self.connection.search_ext_s(base, ldap.SCOPE_SUBTREE, wanted, ["1.1"], sizelimit=MAX_ENTRIES)
        except ldap.SIZELIMIT_EXCEEDED:
            return MAX_ENTRIES
        return sum(1 for dn, _ in found if dn is not None)

    def count_groups(self) -> int:
        """Return how many groups the settings find."""
        return self.count(self.settings.GROUP_SEARCH.base_dn, self.settings.GROUP_SEARCH.filterstr)

    def close(self) -> None:
        """End the connection; safe to repeat."""
        if self._connection is not None:
            self._connection.unbind_s()
            self._connection = None
            self._connection_bound = False


def person_in(
    provider: ProviderConnection,
    name: str,
    authority: str,
    check_peer: Callable[[int], None],
    *,
    by_subject: bool = False,
) -> DirectoryPerson:
    """Return the person under a typed name (or a subject known before), not asked for yet.

    `authority` is the path of a PEM file; an empty one means the authorities that this machine knows.
    """
    backend = DirectoryBackend()
    backend.settings = _settings(provider, name, authority, by_subject=by_subject)
    return DirectoryPerson(backend, name, provider, check_peer)


def _literal(subject: str) -> str:
    """Return a subject as it stands in a filter: `%(user)s` for a text, which is escaped later; escaped bytes else."""
    if not re.fullmatch(f"{_BYTES}(?:[0-9a-f]{{2}})+", subject):
        return "%(user)s"
    return "".join(f"\\{byte:02x}" for byte in bytes.fromhex(subject.removeprefix(_BYTES)))


def _settings(provider: ProviderConnection, name: str, authority: str, *, by_subject: bool) -> LDAPSettings:
    asked = provider.configuration
    identifier = asked["id_attribute"]
    wanted = asked["user_filter"]
    if by_subject:
        wanted = f"(&({identifier}={_literal(name)}){wanted.replace('%(user)s', '*')})"
    attributes = ["*", identifier, asked["email_attribute"], asked["name_attribute"]]
    made = LDAPSettings("IMAGEFACTORY_UNUSED_LDAP_")
    made.SERVER_URI = asked["url"]
    made.START_TLS = asked["start_tls"] and asked["url"].startswith("ldap://")
    made.BIND_DN, made.BIND_PASSWORD = asked["bind_dn"], provider.secret
    made.USER_SEARCH = StrictSearch(asked["user_base"], ldap.SCOPE_SUBTREE, wanted, attributes)
    made.GROUP_TYPE = _group_type(asked)
    made.GROUP_SEARCH = StrictSearch(asked["group_base"], ldap.SCOPE_SUBTREE, _GROUP_FILTERS[asked["group_type"]])
    made.CONNECTION_OPTIONS = _connection_options(authority, own=bool(asked["ca_certificate"]))
    return made


def _group_type(asked: Any) -> Any:
    nested = asked["nested_groups"]
    match asked["group_type"]:
        case "groupOfUniqueNames":
            return NestedGroupOfUniqueNamesType() if nested else GroupOfUniqueNamesType()
        case "posixGroup":
            return PosixGroupType()
        case "activeDirectory":
            # Nested always costs one search here: the directory follows the chain itself.
            return NestedActiveDirectoryGroupType()
        case _:
            return NestedGroupOfNamesType() if nested else GroupOfNamesType()


def _connection_options(authority: str, *, own: bool) -> dict[int, Any]:
    options: dict[int, Any] = {
        ldap.OPT_PROTOCOL_VERSION: 3,
        ldap.OPT_REFERRALS: 0,  # a referral would lead to a host that nobody checked
        ldap.OPT_NETWORK_TIMEOUT: CONNECT_SECONDS,
        ldap.OPT_TIMEOUT: ANSWER_SECONDS,
        ldap.OPT_X_TLS_REQUIRE_CERT: ldap.OPT_X_TLS_DEMAND,
    }
    if own:
        options[ldap.OPT_X_TLS_CACERTFILE] = authority
    options[ldap.OPT_X_TLS_NEWCTX] = 0  # last: it makes the context out of what was set before
    return options


__all__ = ["DirectoryPerson", "person_in"]
