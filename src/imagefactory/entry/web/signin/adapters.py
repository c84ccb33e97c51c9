"""What django-allauth asks of its host: our session, our sentences, our secrets; it sends no mail and shows no message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse

from imagefactory.entry.http.actors import client_address
from imagefactory.entry.web.redirects import own_address
from imagefactory.entry.web.signin import door
from imagefactory.kernel import env, secrets

ISSUER = "Image Factory"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth has no types
    """The hooks of signing in, whatever proved who someone is."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False  # people are made by services.sign_up, by an invitation, or by an identity provider

    def get_login_stages(self) -> list[str]:
        return ["imagefactory.entry.web.signin.door.SecondFactorStage"]

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Open the browser's session: every sign-in ends here, with its event."""
        door.open_session(request, user)

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        return door.refuse_inactive(request)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def is_safe_url(self, url: str) -> bool:
        return bool(url) and own_address(url, "") == url

    def add_message(self, *args: object, **kwargs: object) -> None:
        """Show nothing: each page says in its own words what happened."""

    def send_mail(self, template_prefix: str, email: str, context: Mapping[str, Any]) -> None:
        """Send nothing: messages are composed from events, in reactions/messages."""

    def send_notification_mail(self, *args: object, **kwargs: object) -> None:
        """Send nothing, as `send_mail`."""


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc] # allauth has no types
    """Second factors: their secrets are encrypted with the installation's key, and name this installation."""

    def encrypt(self, text: str) -> str:
        return secrets.encrypt(text).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.decrypt(encrypted_text.encode())

    def get_totp_issuer(self) -> str:
        return f"{ISSUER} ({env.get().host})"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        # From the public address and never from the request: its Host header is the client's to choose.
        return {"id": urlsplit(env.get().public_url).hostname or "localhost", "name": ISSUER}

    def send_notification_mail(self, *args: object, **kwargs: object) -> None:
        """Send nothing, as the account's adapter."""
