"""OpenID Connect: allauth's authorization code flow, with the id token verified by its issuer's keys every time."""

from __future__ import annotations

import hmac
from typing import Any, cast

from allauth.socialaccount.models import SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponse

from imagefactory.adapters.identity import tokens
from imagefactory.adapters.identity.addresses import ProviderUnreachable
from imagefactory.adapters.identity.http import ProviderSession
from imagefactory.domain.identity.selectors import ProviderConnection
from imagefactory.domain.identity.services.provider_settings import host_policy
from imagefactory.kernel import env


class ExchangeFailed(OAuth2Error):  # type: ignore[misc] # allauth has no types
    """The provider's answer is not believed; `told` is the sentence for the person."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class VerifiedAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc] # allauth has no types
    """Discovery, exchange and claims of one provider."""

    state: dict[str, Any] | None = None

    @property
    def connection(self) -> ProviderConnection:
        return cast("ProviderConnection", self.get_provider().app.settings["connection"])

    @property
    def openid_config(self) -> dict[str, Any]:
        issuer, policy = self.connection.configuration["issuer"], host_policy(self.connection.tenant_id)
        self.request.sso_policy = policy
        try:
            return dict(tokens.discover(issuer, policy).configuration)
        except ProviderUnreachable as error:
            raise ExchangeFailed(error.message) from error

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return callback_url(self.connection)

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        _ = self.openid_config  # sets the policy that the exchange is made under
        try:
            return dict(super().get_access_token_data(*args, **kwargs))
        except ProviderUnreachable as error:
            raise ExchangeFailed(error.message) from error

    def complete_login(self, request: HttpRequest, app: Any, token: SocialToken, **kwargs: Any) -> SocialLogin:
        found = self.connection
        issuer, policy = found.configuration["issuer"], host_policy(found.tenant_id)
        try:
            claims = tokens.verify(
                str(kwargs["response"].get("id_token") or ""), issuer=issuer, audience=found.configuration["client_id"],
                policy=policy, need=("sub", "nonce"),
            )  # fmt: skip
            self._check(claims, found)
            claims = self._with_userinfo(claims, token.token, found)
        except (ProviderUnreachable, tokens.TokenRefused) as error:
            raise ExchangeFailed(error.message) from error
        return self.get_provider().sociallogin_from_response(request, claims)

    def _check(self, claims: dict[str, Any], found: ProviderConnection) -> None:
        nonce = str((self.state or {}).get("nonce") or "")
        if not nonce or not hmac.compare_digest(str(claims["nonce"]), nonce):
            raise ExchangeFailed(
                "The provider's answer belongs to another sign-in than the one begun here. Sign in again."
            )
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != found.configuration["client_id"]:
            raise ExchangeFailed("The provider's answer was made for another program. Ask whoever runs it.")

    def _with_userinfo(self, claims: dict[str, Any], access_token: str, found: ProviderConnection) -> dict[str, Any]:
        """Return the claims with what the userinfo endpoint adds; what the signed token says itself is never replaced."""
        address = self.openid_config.get("userinfo_endpoint")
        if not address:
            return claims
        with ProviderSession(host_policy(found.tenant_id)) as session:
            answer = session.get(str(address), headers={"Authorization": f"Bearer {access_token}"})
        try:
            more = answer.json() if answer.status_code == 200 else {}
        except ValueError:
            more = {}
        if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
            return claims  # OpenID Connect Core 5.3.2: for anyone else it must not be used
        return {**more, **claims}


def callback_url(found: ProviderConnection) -> str:
    """Return the address that must be entered at the provider."""
    return f"{env.get().public_url}/sso/{found.id}/callback"


class _Callback(OAuth2CallbackView):  # type: ignore[misc] # allauth has no types
    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, response = super()._get_state(request, provider)
        self.adapter.state = state
        issuer = request.GET.get("iss")
        if state is not None and issuer is not None and issuer != provider.connection.configuration["issuer"]:
            from imagefactory.entry.web.sso import flow

            return None, flow.failed(request, "")  # RFC 9207: another issuer answers than was asked
        return state, response


def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take the person back from the provider."""
    from allauth.socialaccount.models import SocialApp

    from imagefactory.entry.web.sso import flow

    try:
        answer: HttpResponse = _Callback.adapter_view(VerifiedAdapter(request, provider_id))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except ExchangeFailed as error:
        return flow.failed(request, "", error)
    return answer
