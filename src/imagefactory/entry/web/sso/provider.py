"""The provider classes that allauth finds here: its own, with every check on and nothing taken from the query string."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, cast

from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.http import HttpRequest

from imagefactory.domain.identity.selectors import ProviderConnection
from imagefactory.domain.identity.services.assertions import Assertion
from imagefactory.entry.web.sso.oidc import VerifiedAdapter
from imagefactory.kernel.ids import token

MAX_GROUPS = 500


def text_list(value: Any) -> list[str] | None:
    """Return groups as a provider may write them: a list, one name, or nothing said."""
    if value is None:
        return None
    if isinstance(value, str):
        return [value] if value else []
    return [str(v)[:400] for v in list(value)[:MAX_GROUPS] if isinstance(v, str)] if isinstance(value, list) else []


class VerifiedOpenIDConnect(OpenIDConnectProvider):  # type: ignore[misc] # allauth has no types
    """OpenID Connect with PKCE, state and nonce; scopes and parameters come from our settings alone."""

    oauth2_adapter_class = VerifiedAdapter

    @property
    def connection(self) -> ProviderConnection:
        return cast("ProviderConnection", self.app.settings["connection"])

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> Any:
        nonce = token(24)
        kwargs = {"nonce": nonce, "auth_params": {"nonce": nonce}}
        return super().redirect(request, process, next_url, data, **kwargs)

    def get_pkce_params(self) -> dict[str, str]:
        verifier = token(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return {"code_challenge": challenge, "code_challenge_method": "S256", "code_verifier": verifier}

    def extract_uid(self, data: Mapping[str, Any]) -> str:
        return str(data["sub"])

    def extract_extra_data(self, data: Mapping[str, Any]) -> dict[str, Any]:
        settings = self.connection.configuration
        said = Assertion(
            subject=str(data["sub"]),
            email=str(data.get("email") or ""),
            email_verified=data.get("email_verified") is True or bool(settings["addresses_verified"]),
            name=str(data.get("name") or data.get("preferred_username") or ""),
            groups=text_list(data.get(settings["groups_claim"])) if settings["groups_claim"] else None,
        )
        return {"assertion": dataclasses.asdict(said)}

    def extract_common_fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def extract_email_addresses(self, data: Mapping[str, Any]) -> list[Any]:
        return []


class VerifiedSAML(SAMLProvider):  # type: ignore[misc] # allauth has no types
    """SAML with attributes by our settings; the checks of a response stand in saml.py."""

    @property
    def connection(self) -> ProviderConnection:
        return cast("ProviderConnection", self.app.settings["connection"])

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> Any:
        from imagefactory.entry.web.sso import saml

        return saml.begin(request, self, process, next_url)

    def extract_uid(self, data: Any) -> str:
        return str(data.get_nameid() or "")

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        settings, attributes = self.connection.configuration, data.get_attributes()
        email = _first(attributes, settings["email_attribute"])
        if not email and str(data.get_nameid_format()).endswith(":emailAddress"):
            email = str(data.get_nameid())
        said = Assertion(
            subject=str(data.get_nameid() or ""),
            email=email,
            email_verified=True,  # SAML knows no other: the provider signs the address
            name=_first(attributes, settings["name_attribute"]),
            groups=text_list(attributes.get(settings["groups_attribute"])) if settings["groups_attribute"] else None,
        )
        return {"assertion": dataclasses.asdict(said)}

    def extract_common_fields(self, data: Any) -> dict[str, Any]:
        return {}


def _first(attributes: Mapping[str, Any], name: str) -> str:
    values = attributes.get(name) or [""]
    return str(values[0] or "")


provider_classes = [VerifiedOpenIDConnect, VerifiedSAML]
