"""The fields of each kind of provider, in the order of its form, with the words beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from imagefactory.domain.identity.services.provider_settings import DEFAULTS, GROUP_TYPES
from imagefactory.domain.identity.states import ProviderKind


@dataclasses.dataclass(frozen=True)
class Field:
    """One field: `kind` as in the `field` tag, or `switch`."""

    name: str
    label: str
    hint: str = ""
    kind: str = "text"
    optional: bool = False


KINDS: Final[Mapping[str, str]] = {
    ProviderKind.OIDC: "OpenID Connect",
    ProviderKind.SAML: "SAML",
    ProviderKind.LDAP: "LDAP or Active Directory",
}
GROUP_CHOICES: Final = tuple((g, g) for g in GROUP_TYPES)

FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    ProviderKind.OIDC: (
        Field("issuer", "Issuer", "As it stands in the provider's /.well-known/openid-configuration."),
        Field("client_id", "Client id"),
        Field("scopes", "Scopes", "openid profile email, and one for groups where the provider wants it."),
        Field("groups_claim", "Claim with the groups", "groups or roles; left empty, roles do not follow the provider.", optional=True),
        Field(
            "addresses_verified", "The provider gives out these e-mail addresses itself, and sends no email_verified",
            "Entra ID is one. Only for providers where nobody can type an address of their own.", "switch",
        ),
    ),
    ProviderKind.SAML: (
        Field("entity_id", "Entity id of the provider"),
        Field("sso_url", "Address of its sign-in", "SingleSignOnService with HTTP-Redirect."),
        Field("certificate", "Signing certificate", "PEM, or the text in its metadata.", "code"),
        Field("next_certificate", "Next signing certificate", "While the provider changes keys, both are taken.", "code", optional=True),
        Field("email_attribute", "Attribute with the e-mail address"),
        Field("name_attribute", "Attribute with the name"),
        Field("groups_attribute", "Attribute with the groups", optional=True),
        Field(
            "allow_idp_initiated", "Accept sign-ins that begin at the provider",
            "Off is safer: nobody can slip someone else's sign-in into your browser.", "switch",
        ),
    ),
    ProviderKind.LDAP: (
        Field("url", "Address", "ldaps://directory.example.com, or ldap:// with StartTLS."),
        Field("start_tls", "StartTLS", "", "switch"),
        Field("ca_certificate", "Certificate of its authority", "PEM; empty: the authorities that this machine knows.", "code", optional=True),
        Field("bind_dn", "Account that searches", "Its name, such as cn=reader,dc=example,dc=com; empty: anyone may search.", optional=True),
        Field("user_base", "Where people are", "Such as ou=people,dc=example,dc=com."),
        Field("user_filter", "How a typed name is looked up", "(uid=%(user)s); Active Directory: (sAMAccountName=%(user)s)."),
        Field("id_attribute", "Attribute that never changes", "entryUUID; Active Directory: objectGUID."),
        Field("email_attribute", "Attribute with the e-mail address"),
        Field("name_attribute", "Attribute with the name"),
        Field("group_base", "Where groups are", "Left empty, roles do not follow the directory.", optional=True),
        Field("group_type", "Kind of groups", "", "select"),
        Field("nested_groups", "Groups in groups count too", "Active Directory always does so.", "switch"),
    ),
}  # fmt: skip


def texts(kind: str, configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings as a form holds them."""
    return {
        name: ("1" if configuration.get(name, default) is True else "") if isinstance(default, bool)
        else str(configuration.get(name, default))
        for name, default in DEFAULTS[kind].items()
    }  # fmt: skip
