"""Sign-in through SAML, against a real identity provider process that signs with xmlsec1; and hostile responses."""

from __future__ import annotations

import base64
import copy
import dataclasses
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import transaction
from django.test import Client
from lxml import etree

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import ExternalIdentity, IdentityProvider, RoleBinding
from imagefactory.domain.identity.selectors import RoleRow, connection
from imagefactory.domain.identity.services import ProviderForm
from imagefactory.entry.web.sso import saml as ours
from imagefactory.kernel import env
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World
from tests.parties.saml_idp import ENTITY, SamlIdp, saml_idp
from tests.sso.parts import email_of

pytestmark = pytest.mark.real

PROVIDER = uuid.uuid4()
MAIL, NAME = "urn:oid:0.9.2342.19200300.100.1.3", "urn:oid:2.16.840.1.113730.3.1.241"
NS = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion", "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
      "ds": "http://www.w3.org/2000/09/xmldsig#"}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Parties:
    """The right identity provider, one of the same name with another key, and one whose assertions are past."""

    right: SamlIdp
    forger: SamlIdp
    late: SamlIdp


def metadata_of(provider_id: uuid.UUID) -> str:
    base = f"{env.get().public_url}/sso/{provider_id}"
    return (
        f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{base}/metadata"><SPSSODescriptor '
        'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><AssertionConsumerService index="1" '
        f'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="{base}/acs"/></SPSSODescriptor></EntityDescriptor>'
    )


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    place = Path(tmp_path_factory.mktemp("saml"))
    known = []
    for provider_id in (PROVIDER, uuid.UUID(int=1)):
        known.append(place / f"{provider_id}.xml")
        known[-1].write_text(metadata_of(provider_id))
    with (
        saml_idp(place, known) as right,
        saml_idp(place, known, name="forger", known_port=right.port) as forger,
        saml_idp(place, known, name="late", lifetime=-20, known_port=right.port) as late,
    ):
        yield Parties(right, forger, late)


@dataclasses.dataclass
class Door:
    world: World
    idp: SamlIdp
    browser: Client

    def begin(self) -> str:
        answer = self.browser.get(f"/sso/{PROVIDER}/start")
        assert answer.status_code == 302, answer.content[:500]
        return str(answer["Location"])

    def post(self, xml: str, browser: Client | None = None) -> Any:
        """Post a response as the provider's page would: from another site, and then follow our own redirect."""
        browser = browser or self.browser
        sent = {"SAMLResponse": base64.b64encode(xml.encode()).decode(), "RelayState": "https://evil.example/"}
        answer = Client().post(f"/sso/{PROVIDER}/acs", sent)
        assert answer.status_code == 302
        browser.cookies["saml-acs-session"] = answer.cookies["saml-acs-session"].value
        return browser.get(answer["Location"])

    def claims(self, role: str = "member", **more: Any) -> dict[str, Any]:
        return {"subject": f"id-{role}", "mail": email_of(self.world, role), "displayName": "Some One", **more}


def door(world: World, idp: SamlIdp, **more: Any) -> Door:
    configuration = {
        "entity_id": ENTITY, "sso_url": idp.sso_url, "certificate": idp.certificate, "email_attribute": MAIL,
        "name_attribute": NAME, "groups_attribute": "urn:oid:1.3.6.1.4.1.5923.1.5.1.1", **more.pop("configuration", {}),
    }  # fmt: skip
    made = services.create_provider(
        world.actor("owner"), "saml", ProviderForm("Company SAML", configuration, domains=["example.com"], **more)
    )
    from imagefactory.domain.identity.models import ProviderRole

    with transaction.atomic():
        IdentityProvider.objects.filter(id=made).update(id=PROVIDER)
        ProviderRole.objects.filter(provider_id=made).update(provider_id=PROVIDER)
    return Door(world, idp, Client(raise_request_exception=False))


def let_in(at: Door, answer: Any) -> bool:
    return answer.status_code == 302 and at.browser.get(f"/t/{at.world.tenant_slug}/").status_code == 200


def reasons() -> list[str]:
    return [e.payload["reason"] for e in OutboxEvent.objects.filter(type="member.provider_sign_in_refused")]


def test_a_member_comes_in_with_a_signed_assertion(world: World, parties: Parties) -> None:
    roles = [RoleRow(world.tenant_id, "builders", "member", world.project.id)]
    RoleBinding.objects.filter(user_id=world.users["member"], tenant_id=world.tenant_id).delete()
    at = door(world, parties.right, roles=roles)
    claims = at.claims(eduPersonAffiliation=["x"], isMemberOf=["builders"])
    assert let_in(at, at.post(parties.right.respond(at.begin(), claims))), reasons()
    assert ExternalIdentity.objects.get().subject == "id-member"
    assert RoleBinding.objects.get(user_id=world.users["member"], tenant_id=world.tenant_id).role == "member"


def test_metadata_say_what_the_provider_needs(world: World, parties: Parties) -> None:
    door(world, parties.right)
    answer = Client().get(f"/sso/{PROVIDER}/metadata")
    assert answer.status_code == 200
    document = etree.fromstring(answer.content)
    assert document.get("entityID") == ours.entity_id(connection(PROVIDER))
    assert b'WantAssertionsSigned="true"' in answer.content
    assert ours.acs_url(connection(PROVIDER)).encode() in answer.content


def test_an_unsigned_assertion_is_refused(world: World, parties: Parties) -> None:
    at = door(world, parties.right)
    answer = at.post(parties.right.respond(at.begin(), at.claims(), sign="no"))
    assert answer.status_code == 403
    assert not ExternalIdentity.objects.exists()
    assert "signature" in reasons()[0].lower() or "signed" in reasons()[0].lower()


def test_the_key_of_another_is_refused(world: World, parties: Parties) -> None:
    at = door(world, parties.right)
    address = at.begin().replace(str(parties.right.port), str(parties.forger.port))
    assert at.post(parties.forger.respond(address, at.claims())).status_code == 403
    assert "ignature validation failed" in reasons()[0]


def test_an_expired_assertion_is_refused(world: World, parties: Parties) -> None:
    at = door(world, parties.right, configuration={"certificate": parties.late.certificate})
    address = at.begin().replace(str(parties.right.port), str(parties.late.port))
    assert at.post(parties.late.respond(address, at.claims())).status_code == 403
    assert "expired" in reasons()[0] or "imestamp" in reasons()[0], reasons()


def test_an_assertion_for_someone_else_is_refused(world: World, parties: Parties) -> None:
    at = door(world, parties.right)
    foreign = f"{env.get().public_url}/sso/{uuid.UUID(int=1)}/metadata"
    assert at.post(parties.right.respond(at.begin(), at.claims(), audience=foreign)).status_code == 403
    assert "not a valid audience" in reasons()[0]


def test_an_assertion_works_once(world: World, parties: Parties) -> None:
    at = door(world, parties.right)
    xml = parties.right.respond(at.begin(), at.claims())
    assert let_in(at, at.post(xml))
    assert at.post(xml).status_code == 403
    assert at.post(xml, Client()).status_code == 403
    assert "the assertion was used before" in " ".join(reasons())


def test_an_answer_to_another_browsers_request_is_refused(world: World, parties: Parties) -> None:
    """Login forgery: the attacker signs in and lets the victim's browser post the response."""
    at = door(world, parties.right)
    xml = parties.right.respond(at.begin(), at.claims())
    assert at.post(xml, Client()).status_code == 403
    assert "this browser did not make" in reasons()[0]


def test_a_stolen_assertion_cannot_be_put_into_an_answer_to_ones_own_request(world: World, parties: Parties) -> None:
    """Only the assertion is signed: the response around it is the attacker's to write."""
    at = door(world, parties.right)
    stolen = parties.right.respond(at.begin(), at.claims("owner"))
    attacker = Client()
    own = attacker.get(f"/sso/{PROVIDER}/start")["Location"]
    request_id = next(iter(attacker.session["socialaccount_states"]))
    assert own
    rewritten = re.sub(r'(<[a-z0-9]+:Response[^>]*InResponseTo=")[^"]+', rf"\g<1>{request_id}", stolen)
    assert rewritten != stolen
    assert at.post(rewritten, attacker).status_code == 403
    assert "_auth_user_id" not in attacker.session


def test_sign_in_begun_at_the_provider_is_off_unless_set(world: World, parties: Parties) -> None:
    at = door(world, parties.right)
    found = connection(PROVIDER)
    query = urlencode({"acs": ours.acs_url(found), "sp": ours.entity_id(found)})
    begun = f"{parties.right.sso_url}?{query}"
    assert at.post(parties.right.respond(begun, at.claims())).status_code == 403
    assert "switched off" in reasons()[0]
    row = IdentityProvider.objects.get(id=PROVIDER)
    row.configuration["allow_idp_initiated"] = True
    row.save()
    xml = parties.right.respond(begun, at.claims())
    answer = at.post(xml)
    assert let_in(at, answer), reasons()
    assert answer["Location"] == f"/t/{world.tenant_slug}/", "never where RelayState says"
    assert at.post(xml, Client()).status_code == 403


def wrapped(xml: str, email: str, how: str) -> str:
    """Return the response with a forged assertion beside, around or before the signed one (XML signature wrapping)."""
    document = etree.fromstring(xml.encode())
    signed = document.find("saml:Assertion", NS)
    forged = copy.deepcopy(signed)
    forged.remove(forged.find("ds:Signature", NS))
    for value in forged.iterfind(".//saml:AttributeValue", NS):
        if value.text and "@" in value.text:
            value.text = email
    forged.find(".//saml:NameID", NS).text = "id-forged"
    if how == "same id before":
        document.insert(list(document).index(signed), forged)
    elif how == "other id before":
        forged.set("ID", "_forged")
        document.insert(list(document).index(signed), forged)
    elif how == "other id after":
        forged.set("ID", "_forged")
        document.append(forged)
    elif how == "signed one inside":
        forged.set("ID", "_forged")
        document.replace(signed, forged)
        forged.append(signed)
    elif how == "signed one in an extension":
        forged.set("ID", "_forged")
        document.replace(signed, forged)
        extensions = etree.Element(f"{{{NS['samlp']}}}Extensions")
        extensions.append(signed)
        document.insert(1, extensions)
    elif how == "signature moved":
        forged.set("ID", "_forged")
        signature = copy.deepcopy(signed.find("ds:Signature", NS))
        place = etree.SubElement(signature, f"{{{NS['ds']}}}Object")
        document.replace(signed, forged)
        signed.remove(signed.find("ds:Signature", NS))
        place.append(signed)
        forged.insert(1, signature)
    elif how == "comment in the name":
        signed.find(".//saml:NameID", NS).text = "id-"
        signed.find(".//saml:NameID", NS).append(etree.Comment("x"))
    return str(etree.tostring(document).decode())


@pytest.mark.parametrize(
    "how",
    [
        "same id before", "other id before", "other id after", "signed one inside", "signed one in an extension",
        "signature moved", "comment in the name",
    ],
)  # fmt: skip
def test_signature_wrapping_is_refused(world: World, parties: Parties, how: str) -> None:
    at = door(world, parties.right)
    honest = parties.right.respond(at.begin(), at.claims())
    hostile = wrapped(honest, email_of(world, "owner"), how)
    assert hostile != honest
    assert at.post(hostile).status_code == 403
    assert not ExternalIdentity.objects.exists()
    assert "_auth_user_id" not in at.browser.session


@pytest.mark.parametrize("edit", ["attribute", "recipient", "audience", "conditions"])
def test_a_changed_assertion_is_refused(world: World, parties: Parties, edit: str) -> None:
    at = door(world, parties.right)
    xml = parties.right.respond(at.begin(), at.claims())
    changed = {
        "attribute": xml.replace(email_of(world, "member"), email_of(world, "owner")),
        "recipient": re.sub('Recipient="[^"]+"', 'Recipient="https://other.example/acs"', xml),
        "audience": re.sub(
            r"<[a-z0-9]+:AudienceRestriction>.*?</[a-z0-9]+:AudienceRestriction>", "", xml, flags=re.DOTALL
        ),
        "conditions": re.sub(r'NotOnOrAfter="[^"]+"', 'NotOnOrAfter="2199-01-01T00:00:00Z"', xml),
    }[edit]
    assert changed != xml
    assert at.post(changed).status_code == 403
    assert not ExternalIdentity.objects.exists()


@pytest.mark.parametrize(
    "xml", ["", "no xml", "<a/>", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "<" * 1000]
)
def test_what_is_no_response_is_refused(world: World, parties: Parties, xml: str) -> None:
    at = door(world, parties.right)
    assert at.post(xml).status_code == 403


def test_too_large_a_response_is_refused_before_it_is_kept(world: World, parties: Parties) -> None:
    door(world, parties.right)
    answer = Client(raise_request_exception=False).post(f"/sso/{PROVIDER}/acs", {"SAMLResponse": "A" * 300_000})
    assert answer.status_code == 413


def test_another_team_is_not_opened(world: World, parties: Parties) -> None:
    at = door(world, parties.right, creates_people=True)
    assert at.post(parties.right.respond(at.begin(), at.claims("stranger"))).status_code == 403
    assert reasons() == ["not_a_member"]
