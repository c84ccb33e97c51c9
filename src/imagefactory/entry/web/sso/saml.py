"""SAML: the request to the provider, our metadata, and every check of what it posts back."""

from __future__ import annotations

import binascii
import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import httpkit
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.sessions import LoginSession
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from lxml import etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Constants
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from imagefactory.domain.identity import services
from imagefactory.domain.identity.errors import ProviderNotFound
from imagefactory.domain.identity.selectors import ProviderConnection
from imagefactory.entry.http.actors import client_address
from imagefactory.entry.web.sso import adapter, flow
from imagefactory.kernel import env
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TooLarge
from imagefactory.kernel.throttle.check import count_attempt, origin

MAX_RESPONSE = 256 * 1024  # characters, as posted (base64)
_LONGEST = dt.timedelta(hours=24)  # how long an assertion may be valid, and so how long its id is remembered
_NAMES = {"saml": Constants.NS_SAML, "samlp": Constants.NS_SAMLP}


class NotBelieved(Exception):
    """The response is not accepted; the text says why, for the log and never for the person."""


def entity_id(found: ProviderConnection) -> str:
    """Return how this factory calls itself at the provider; its metadata stand at that address."""
    return f"{env.get().public_url}/sso/{found.id}/metadata"


def acs_url(found: ProviderConnection) -> str:
    """Return where the provider posts its response to."""
    return f"{env.get().public_url}/sso/{found.id}/acs"


def configuration(found: ProviderConnection) -> dict[str, Any]:
    """Return the settings of python3-saml: strict, signed assertions, no deprecated algorithms."""
    given = found.configuration
    certificates = [c for c in (given["certificate"], given["next_certificate"]) if c]
    return {
        "strict": True,
        "security": {
            "authnRequestsSigned": False, "wantAssertionsSigned": True, "wantMessagesSigned": False,
            "wantAttributeStatement": False, "wantNameId": True, "requestedAuthnContext": False,
            "rejectDeprecatedAlgorithm": True, "allowRepeatAttributeName": True, "allowSingleLabelDomains": True,
            "signatureAlgorithm": Constants.RSA_SHA256, "digestAlgorithm": Constants.SHA256,
        },
        "sp": {
            "entityId": entity_id(found),
            "assertionConsumerService": {"url": acs_url(found), "binding": Constants.BINDING_HTTP_POST},
            "NameIDFormat": Constants.NAMEID_PERSISTENT,
        },
        "idp": {
            "entityId": given["entity_id"],
            "singleSignOnService": {"url": given["sso_url"], "binding": Constants.BINDING_HTTP_REDIRECT},
            "x509certMulti": {"signing": certificates},
        },
    }  # fmt: skip


def _asked(found: ProviderConnection, post: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request as python3-saml sees it: at our public address, whatever the Host header says."""
    public = urlsplit(acs_url(found))
    return {
        "https": "on" if public.scheme == "https" else "off", "http_host": public.netloc, "script_name": public.path,
        "path_info": "", "get_data": {}, "post_data": dict(post),
    }  # fmt: skip


def begin(request: HttpRequest, provider: Any, process: str, next_url: str | None) -> HttpResponse:
    """Send the person to the provider with a request whose id only this browser's session knows."""
    auth = OneLogin_Saml2_Auth(_asked(provider.connection, {}), configuration(provider.connection))
    target = auth.login(return_to="")
    provider.stash_redirect_state(request, process, next_url, None, state_id=auth.get_last_request_id())
    return HttpResponseRedirect(target)


def _provider(request: HttpRequest, provider_id: str) -> Any:
    try:
        provider = adapter.ProviderAdapter(request).get_provider(request, provider_id)
    except (SocialApp.DoesNotExist, ProviderNotFound):
        raise Http404 from None
    if provider.id != "saml":
        raise Http404
    return provider


def acs(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Keep the posted response for the next step: a post from another site brings no session cookie (SameSite)."""
    _provider(request, provider_id)
    count_attempt("sign in from here", origin(client_address(request)), limit=100, window_seconds=900)
    if len(request.POST.get("SAMLResponse", "")) > MAX_RESPONSE:
        raise TooLarge(f"The provider's response is larger than {MAX_RESPONSE // 1024} KiB.")
    answer = HttpResponseRedirect(f"/sso/{provider_id}/acs/finish")
    kept = LoginSession(request, "saml_acs_session", "saml-acs-session")
    kept.store.update({"request": httpkit.serialize_request(request)})
    kept.store.set_expiry(300)
    kept.save(answer)
    return answer


def finish(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Check the response that was posted just before, and let the person in or say why not."""
    provider = _provider(request, provider_id)
    kept = LoginSession(request, "saml_acs_session", "saml-acs-session")
    data = kept.store.get("request")
    kept.delete()
    if not data:
        return flow.failed(request, "")
    posted = httpkit.deserialize_request(data, HttpRequest())
    try:
        auth = OneLogin_Saml2_Auth(_asked(provider.connection, posted.POST.dict()), configuration(provider.connection))
        state = _state(request, provider, _verified(auth, provider.connection))
    except NotBelieved as error:
        flow.note(request, provider.connection, str(error))
        return flow.failed(request, "")
    login = provider.sociallogin_from_response(request, auth)
    login.state = state
    try:
        answer: HttpResponse = complete_social_login(request, login)
    except ImmediateHttpResponse as done:
        return done.response  # type: ignore[no-any-return] # allauth has no types
    return answer


def _state(request: HttpRequest, provider: Any, in_response_to: str) -> dict[str, Any]:
    if not in_response_to:
        if not provider.connection.configuration["allow_idp_initiated"]:
            raise NotBelieved("it was not asked for (sign-in begun at the provider is switched off)")
        return {"process": "login"}
    try:
        return dict(provider.unstash_redirect_state(request, in_response_to))
    except PermissionDenied:
        raise NotBelieved("it answers a request that this browser did not make, or answered before") from None


def _verified(auth: Any, found: ProviderConnection) -> str:
    """Return the id of the request that the signed assertion answers, or "" when it answers none.

    python3-saml checks the schema, signature, issuer, times and destination; what it lets pass when it is missing is
    asked for here. Raises NotBelieved.
    """
    try:
        auth.process_response()
    except (binascii.Error, OneLogin_Saml2_Error, etree.LxmlError, ValueError) as error:
        raise NotBelieved(f"it cannot be read ({type(error).__name__})") from error
    if auth.get_errors() or not auth.is_authenticated():
        raise NotBelieved(str(auth.get_last_error_reason() or "the provider did not sign anyone in"))
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    document = etree.fromstring(auth.get_last_response_xml().encode(), parser)
    assertions = document.findall(f".//{{{Constants.NS_SAML}}}Assertion")
    if (
        len(assertions) != 1
        or assertions[0].getparent() is not document
        or assertions[0].get("ID") != auth.get_last_assertion_id()
    ):
        raise NotBelieved("it holds another assertion than the signed one")
    if assertions[0].find("ds:Signature", {"ds": Constants.NS_DS}) is None:
        raise NotBelieved("the assertion itself is not signed")
    audiences = {(a.text or "").strip() for a in assertions[0].findall(".//saml:Audience", _NAMES)}
    if entity_id(found) not in audiences:
        raise NotBelieved("the assertion names no audience, or another one")
    return _confirmed(document, assertions[0], found)


def _confirmed(document: Any, assertion: Any, found: ProviderConnection) -> str:
    data = assertion.findall("./saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData", _NAMES)
    if len(data) != 1 or data[0].get("Recipient") != acs_url(found) or not data[0].get("NotOnOrAfter"):
        raise NotBelieved("the assertion does not say, once, for which address and how long it is meant")
    answers = data[0].get("InResponseTo") or ""
    if (document.get("InResponseTo") or "") != answers:
        raise NotBelieved("the response answers another request than the signed assertion in it")
    until = dt.datetime.fromisoformat(data[0].get("NotOnOrAfter"))
    if until.tzinfo is None or until - now() > _LONGEST:
        raise NotBelieved("the assertion is valid for more than a day")
    if not services.spend(f"saml {found.id}", str(assertion.get("ID")), until + dt.timedelta(minutes=10)):
        raise NotBelieved("the assertion was used before")
    return str(answers)


def metadata(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Show what the provider must know about this factory."""
    found = _provider(request, provider_id).connection
    made = OneLogin_Saml2_Settings(settings=configuration(found), sp_validation_only=True)
    return HttpResponse(made.get_sp_metadata(), content_type="application/samlmetadata+xml")
