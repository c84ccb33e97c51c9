"""Counters of attempts, one row for each key and window."""

from __future__ import annotations

from django.db import models


class Attempts(models.Model):
    """How many attempts `key` (a hash, never an address or e-mail as such) made in its present window."""

    key = models.CharField(max_length=64, primary_key=True)
    window_started_at = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["window_started_at"], name="throttle_old")]
