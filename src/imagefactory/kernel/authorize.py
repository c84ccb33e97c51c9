"""May they? A policy answers True or a Refusal; this turns a refusal into the error that every door shows alike."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imagefactory.kernel.errors import CapabilityOff, PermissionDenied


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why not: the permission that is missing, a sentence, and who can grant it."""

    permission: str
    reason: str
    granted_by: str
    code: str = "permission_denied"
    # Set when nobody in the tenant may, because the tenant is not entitled to it.
    capability: str = ""


Verdict = Literal[True] | Refusal


def authorize(verdict: Verdict) -> None:
    """Return when the policy says yes.

    Raises PermissionDenied with the policy's reason otherwise, or CapabilityOff.
    """
    if verdict is not True and verdict.capability:
        raise CapabilityOff(f"{verdict.reason} {verdict.granted_by}", capability=verdict.capability)
    if verdict is not True:
        raise PermissionDenied(
            f"{verdict.reason} {verdict.granted_by}",
            code=verdict.code,
            permission=verdict.permission,
            granted_by=verdict.granted_by,
        )
