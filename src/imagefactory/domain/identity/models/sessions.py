"""Tables of sign-ins, in browsers and through the API, and of their history."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils import timezone

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.states import SessionKind
from imagefactory.kernel import env
from imagefactory.kernel.models import Entity

# How far a clock may go back (its correction, another machine's drift) before a sign-in that was used later ends.
SKEW = dt.timedelta(minutes=5)


class AuthSession(Entity):
    """A sign-in. Through the API: two typed tokens, kept as hashes, revoked together. In a browser: its session names this row."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, default=SessionKind.API)
    how = models.CharField(max_length=80, blank=True)
    access_hash = models.CharField(max_length=64, unique=True, null=True)
    access_expires_at = models.DateTimeField(null=True)
    refresh_hash = models.CharField(max_length=64, unique=True, null=True)
    refresh_expires_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    last_used_at = models.DateTimeField(default=timezone.now)
    # When the person last proved who they are: at sign-in, or by their password since.
    proven_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-id"], condition=models.Q(revoked_at=None), name="identity_session_open")
        ]

    def ends_at(self) -> dt.datetime:
        """When this sign-in ends if it is not used again; never later than its absolute end."""
        settings = env.get()
        return min(
            self.last_used_at + dt.timedelta(hours=settings.session_idle_hours),
            self.created_at + dt.timedelta(days=settings.session_days),
        )

    def timed_out(self, moment: dt.datetime) -> bool:
        """Whether its time is over; also when the clock stands before its last use, for then nobody knows how old it is."""
        return not self.last_used_at - SKEW <= moment < self.ends_at()


class SignInRecord(Entity):
    """An attempt to sign in to an account, kept for 90 days for the person themselves; the audit trail has its own."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    session_id = models.UUIDField(null=True)
    result = models.CharField(max_length=10)
    how = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    address = models.CharField(max_length=64, blank=True)
    device = models.CharField(max_length=80, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-id"], name="identity_sign_in_user"),
            models.Index(fields=["created_at"], name="identity_sign_in_old"),
        ]
