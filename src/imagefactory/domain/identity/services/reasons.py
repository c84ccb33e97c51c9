"""The reason that a decision over others takes; it goes to the audit trail."""

from __future__ import annotations

from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.text import plain_text_errors

MAX_REASON = 500


def reason_of(text: str) -> str:
    """Return the reason without spaces around it.

    Raises ValidationFailed when there is none, or it is too long or holds what cannot be seen.
    """
    reason = " ".join(text.split())
    if not 3 <= len(reason) <= MAX_REASON:
        raise ValidationFailed(
            {
                "reason": [
                    f"Give the reason, in 3 to {MAX_REASON} characters. It stands in the audit trail and is told to those it concerns."
                ]
            }
        )
    if strange := plain_text_errors(reason):
        raise ValidationFailed({"reason": strange})
    return reason
