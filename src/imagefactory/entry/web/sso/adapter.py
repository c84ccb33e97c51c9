"""What django-allauth asks about providers: which there are (from our table, with no copy in its own) and whom they let in."""

from __future__ import annotations

import uuid
from typing import Any, NoReturn

import requests
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.http import HttpRequest

from imagefactory.adapters.identity.addresses import HostPolicy
from imagefactory.adapters.identity.http import ProviderSession
from imagefactory.domain.identity.errors import ProviderNotFound
from imagefactory.domain.identity.selectors import ProviderConnection, connection
from imagefactory.domain.identity.services.assertions import Assertion
from imagefactory.domain.identity.states import ProviderKind
from imagefactory.entry.web.sso import flow

_OURS = {ProviderKind.OIDC: "openid_connect", ProviderKind.SAML: "saml"}


def app_of(found: ProviderConnection) -> SocialApp:
    """Return allauth's view of a provider; it is never saved."""
    return SocialApp(
        provider=_OURS[ProviderKind(found.kind)],
        provider_id=str(found.id),
        name=found.name,
        client_id=found.configuration.get("client_id") or str(found.id),
        secret=found.secret,
        settings={
            "server_url": found.configuration.get("issuer", ""),
            "scope": str(found.configuration.get("scopes", "")).split(),
            "oauth_pkce_enabled": True,
            "connection": found,
        },
    )


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc] # allauth has no types
    """The hooks of allauth's provider sign-in."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Return the one provider that an address names; there is no list for strangers to walk through."""
        for name in (provider, client_id):
            try:
                found = connection(uuid.UUID(str(name)))
            except (ValueError, ProviderNotFound):
                continue
            return [app_of(found)] if found.kind in _OURS else []
        return []

    def get_requests_session(self) -> requests.Session:
        """Return the session that allauth speaks to a provider with: bounded, and only to allowed hosts."""
        policy = getattr(context.request, "sso_policy", None)
        return ProviderSession(policy if isinstance(policy, HostPolicy) else HostPolicy())

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> NoReturn:
        """Decide who comes in by our own rules; allauth's way on from here (its accounts, its sign-up) is never taken."""
        found: ProviderConnection = sociallogin.provider.app.settings["connection"]
        said = sociallogin.account.extra_data["assertion"]
        answer = flow.finish(
            request,
            found,
            Assertion(**said),
            process=str(sociallogin.state.get("process", "login")),
            wanted=str(sociallogin.state.get("next") or ""),
        )
        raise ImmediateHttpResponse(answer)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> NoReturn:
        """Say on our own page what went wrong."""
        raise ImmediateHttpResponse(flow.failed(request, str(error or ""), exception))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False
