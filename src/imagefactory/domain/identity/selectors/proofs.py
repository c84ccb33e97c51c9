"""Links that prove an e-mail address: what is still to be done with one, and its text when the mail is composed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from imagefactory.domain.identity.models import EmailProof
from imagefactory.domain.identity.models.sessions import SKEW
from imagefactory.domain.identity.states import ProofPurpose
from imagefactory.kernel import secrets
from imagefactory.kernel.clock import now

LIFE = {
    ProofPurpose.CONFIRM_EMAIL: dt.timedelta(hours=24),
    ProofPurpose.CHANGE_EMAIL: dt.timedelta(hours=24),
    ProofPurpose.RESET_PASSWORD: dt.timedelta(hours=1),
}
_PATHS = {
    ProofPurpose.CONFIRM_EMAIL: "/login/confirm/",
    ProofPurpose.CHANGE_EMAIL: "/login/email/",
    ProofPurpose.RESET_PASSWORD: "/login/reset/",
}


@dataclasses.dataclass(frozen=True)
class Letter:
    """What a mail with a link says: to whom, the path with the secret in it, and the code that may be typed instead."""

    email: str
    name: str
    path: str
    code: str


def is_open(proof: EmailProof) -> bool:
    """Whether this link still works: not used, not too old, and not from a time that the clock has not reached."""
    return proof.used_at is None and proof.asked_at - SKEW <= now() < proof.asked_at + LIFE[ProofPurpose(proof.purpose)]


def open_proof(purpose: ProofPurpose, token: str) -> EmailProof | None:
    """Return what a link's secret part proves; None for a wrong, old, used, replaced or foreign one."""
    row = secrets.row_of_token(token)
    if row is None:
        return None
    proof = EmailProof.objects.filter(id=row, purpose=purpose, user__is_active=True).select_related("user").first()
    if proof is None or not secrets.token_matches(token, purpose, proof.id, proof.version) or not is_open(proof):
        return None
    return proof


def link_works(purpose: ProofPurpose, token: str) -> bool:
    return open_proof(purpose, token) is not None


def letter(proof_id: uuid.UUID, version: int) -> Letter | None:
    """Return what the mail of this link says; None when a later link replaced it, or it was used."""
    proof = EmailProof.objects.filter(id=proof_id, version=version).select_related("user").first()
    if proof is None or not is_open(proof):
        return None
    purpose = ProofPurpose(proof.purpose)
    path = _PATHS[purpose] + secrets.signed_token(purpose, proof.id, version)
    return Letter(proof.email, proof.user.name, path, secrets.signed_code(purpose, proof.id, version))
