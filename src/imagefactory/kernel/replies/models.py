"""The table of answers to repeatable requests."""

from __future__ import annotations

from django.db import models


class Reply(models.Model):
    """What a request with this key (hashed with its sender and address) was answered; kept for a week."""

    key = models.CharField(max_length=64, primary_key=True)
    request = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="replies_old")]
