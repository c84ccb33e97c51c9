"""Errors with a code, a sentence and details. One envelope is made of them at each door; no HTTP here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class FactoryError(Exception):
    """Something a person or a client is told about.

    `message` says what is wrong and what to do next; `details` is machine-readable and holds nothing secret.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance may be more exact than its class


class InvalidRequest(FactoryError):
    code = "invalid_request"


class TenantRequired(InvalidRequest):
    code = "tenant_required"


class Unauthorized(FactoryError):
    code = "unauthorized"


class TokenExpired(Unauthorized):
    code = "token_expired"


class PermissionDenied(FactoryError):
    code = "permission_denied"


class CapabilityOff(FactoryError):
    code = "tenant_capability_not_entitled"


class NotFound(FactoryError):
    """Also for what one may not see: the same body as for what never existed."""

    code = "not_found"

    def __init__(self, what: str = "object", **details: Any) -> None:
        super().__init__(f"There is no such {what}, or you may not see it. Check the address and the team.", **details)


class Conflict(FactoryError):
    code = "conflict"


class InvalidTransition(Conflict):
    code = "invalid_transition"


class ValidationFailed(FactoryError):
    """Bad fields, all of them at once: `fields` maps a field's name to its sentences."""

    code = "validation_failed"

    def __init__(self, fields: Mapping[str, list[str]], message: str = "") -> None:
        count = sum(len(v) for v in fields.values())
        text = message or f"{count} thing{'s' if count != 1 else ''} to correct before this can be accepted."
        super().__init__(text, fields={name: list(sentences) for name, sentences in fields.items()})
        self.fields = fields


class RateLimited(FactoryError):
    """Too often; `retry_after_seconds` says when again."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class TooLarge(FactoryError):
    code = "too_large"


class Unavailable(FactoryError):
    """Something this needs is away for now; trying later is right."""

    code = "unavailable"
