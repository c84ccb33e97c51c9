"""The table of sign-ins through the API."""

from __future__ import annotations

from django.db import models

from imagefactory.domain.identity.models.people import User
from imagefactory.kernel.models import Entity


class AuthSession(Entity):
    """A sign-in through the API: two typed tokens, kept as hashes, revoked together."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    access_hash = models.CharField(max_length=64, unique=True)
    access_expires_at = models.DateTimeField()
    refresh_hash = models.CharField(max_length=64, unique=True)
    refresh_expires_at = models.DateTimeField()
    address = models.CharField(max_length=64, blank=True)
    revoked_at = models.DateTimeField(null=True)
