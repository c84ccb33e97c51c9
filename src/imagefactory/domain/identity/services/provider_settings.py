"""What the settings of each kind of provider are, and what can be wrong with them."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from imagefactory.adapters.identity.addresses import HostPolicy
from imagefactory.domain.identity.states import ProviderKind
from imagefactory.kernel import env
from imagefactory.kernel.clock import now

MAX_TEXT, MAX_PEM = 1000, 20_000  # characters
DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9;-]{0,63}")
GROUP_TYPES: Final = ("groupOfNames", "groupOfUniqueNames", "posixGroup", "activeDirectory")

# Field -> what stands there when nothing is said. True and False are switches, everything else is text.
DEFAULTS: Final[Mapping[str, Mapping[str, str | bool]]] = {
    ProviderKind.OIDC: {
        "issuer": "", "client_id": "", "scopes": "openid profile email", "groups_claim": "groups",
        "addresses_verified": False,
    },
    ProviderKind.SAML: {
        "entity_id": "", "sso_url": "", "certificate": "", "next_certificate": "", "email_attribute": "email",
        "name_attribute": "displayName", "groups_attribute": "groups", "allow_idp_initiated": False,
    },
    ProviderKind.LDAP: {
        "url": "", "start_tls": False, "ca_certificate": "", "bind_dn": "", "user_base": "",
        "user_filter": "(uid=%(user)s)", "id_attribute": "entryUUID", "email_attribute": "mail", "name_attribute": "cn",
        "group_base": "", "group_type": "groupOfNames", "nested_groups": False,
    },
}  # fmt: skip
# Where the secret goes, and whether there must be one.
SECRETS: Final[Mapping[str, str]] = {
    ProviderKind.OIDC: "the client secret",
    ProviderKind.LDAP: "the password of the account that searches",
}


def host_policy(tenant_id: uuid.UUID | None) -> HostPolicy:
    """Return where a provider of this tenant (None: of the installation) may live."""
    listed = tuple(h.strip() for h in env.get().identity_hosts.split(",") if h.strip())
    return HostPolicy(listed, allow_private=tenant_id is None)


def cleaned(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of this kind out of what was given; unknown names are left out, missing ones get defaults."""
    found: dict[str, Any] = {}
    for name, default in DEFAULTS[kind].items():
        value = given.get(name, default)
        if isinstance(default, bool):
            found[name] = value is True or value in {"1", "on", "true"}
        else:
            limit = MAX_PEM if "certificate" in name else MAX_TEXT
            found[name] = (str(value).strip() or str(default))[: limit + 1]
    return found


def configuration_errors(kind: str, settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong, by field; nothing is fetched or connected for it."""
    wrong: dict[str, list[str]] = {}
    for name, value in settings.items():
        limit = MAX_PEM if "certificate" in name else MAX_TEXT
        if isinstance(value, str) and (len(value) > limit or "\0" in value):
            wrong[name] = [f"This is longer than {limit:,} characters."]
    if wrong:
        return wrong
    checks: dict[str, Callable[[Mapping[str, Any]], dict[str, list[str]]]] = {
        ProviderKind.OIDC: _oidc_errors, ProviderKind.SAML: _saml_errors, ProviderKind.LDAP: _ldap_errors,
    }  # fmt: skip
    return checks[kind](settings)


def _url_wrong(url: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return True
    bad = any(ord(c) <= 32 for c in url)
    return bad or parts.scheme not in schemes or not parts.hostname or parts.username is not None


def web_address_wrong(url: str) -> bool:
    """Whether this is no address of a web server that may be asked: https, or http where the operator listed hosts."""
    return _url_wrong(url, _web_schemes())


def _web_schemes() -> set[str]:
    return {"https", "http"} if env.get().identity_hosts else {"https"}


def _oidc_errors(settings: Mapping[str, Any]) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if _url_wrong(settings["issuer"], _web_schemes()) or urlsplit(settings["issuer"]).query:
        wrong["issuer"] = ["Give the issuer's address, such as https://login.example.com/realms/company."]
    if not settings["client_id"]:
        wrong["client_id"] = ["Give the client id that the provider made for this factory."]
    if "openid" not in settings["scopes"].split():
        wrong["scopes"] = ["The scopes must contain openid; usual are openid profile email."]
    return wrong


def _saml_errors(settings: Mapping[str, Any]) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if not settings["entity_id"]:
        wrong["entity_id"] = ["Give the provider's entity id; it stands at the top of its metadata."]
    if _url_wrong(settings["sso_url"], _web_schemes()):
        wrong["sso_url"] = ["Give the https address of the provider's sign-in (SingleSignOnService, HTTP-Redirect)."]
    for name in ("certificate", "next_certificate"):
        if (settings[name] or name == "certificate") and (about := certificate_error(settings[name])):
            wrong[name] = [about]
    return wrong


def _ldap_errors(settings: Mapping[str, Any]) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    url = settings["url"]
    if _url_wrong(url, {"ldap", "ldaps"}) or urlsplit(url).path not in {"", "/"}:
        wrong["url"] = ["Give the directory's address, such as ldaps://directory.example.com."]
    elif url.startswith("ldap://") and not settings["start_tls"]:
        wrong["start_tls"] = ["Passwords must not cross the network unprotected: use ldaps:// or switch StartTLS on."]
    if settings["ca_certificate"] and (about := certificate_error(settings["ca_certificate"])):
        wrong["ca_certificate"] = [about]
    if not settings["user_base"]:
        wrong["user_base"] = ["Say below which entry people are, such as ou=people,dc=example,dc=com."]
    wanted = settings["user_filter"]
    if wanted.count("%(user)s") < 1 or wanted.replace("%(user)s", "").count("%") or not _balanced(wanted):
        wrong["user_filter"] = ["Write a filter with %(user)s where the typed name goes, such as (uid=%(user)s)."]
    for name in ("id_attribute", "email_attribute", "name_attribute"):
        if not _ATTRIBUTE.fullmatch(settings[name]):
            wrong[name] = ["Give the name of an attribute, such as mail."]
    if settings["group_type"] not in GROUP_TYPES:
        wrong["group_type"] = [f"Choose one of {', '.join(GROUP_TYPES)}."]
    return wrong


def _balanced(text: str) -> bool:
    depth = 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if depth < 0:
            return False
    return depth == 0 and text.startswith("(") and text.endswith(")")


def certificates(pem: str) -> list[x509.Certificate]:
    """Return the certificates in a PEM text; a lone base64 body, as metadata holds it, is taken too."""
    text = pem.strip()
    if text and "-----BEGIN" not in text:
        text = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
    return x509.load_pem_x509_certificates(text.encode())


def certificate_error(pem: str) -> str:
    """Return what is wrong with a certificate, or nothing."""
    try:
        found = certificates(pem)
    except ValueError:
        return "This is no certificate. Paste it with its BEGIN and END lines (PEM)."
    key = found[0].public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or key.key_size < 224:
        return "The certificate's key is not RSA or EC."
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        return "The certificate's RSA key has less than 2048 bits and is not safe. Ask the provider for a new one."
    return ""


def expiry(pem: str) -> tuple[dt.datetime, int]:
    """Return when a certificate ends, and in how many days from now (negative: it has)."""
    ends = certificates(pem)[0].not_valid_after_utc
    return ends, (ends - now()).days


def domain_errors(domains: list[str]) -> list[str]:
    wrong = [d for d in domains if not DOMAIN.fullmatch(d)]
    if wrong:
        return [f"{wrong[0][:80]!r} is not a domain. Write domains such as example.com, one a line."]
    return ["At most 50 domains."] if len(domains) > 50 else []
