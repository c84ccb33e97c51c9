"""What every table starts from."""

from __future__ import annotations

from django.db import models

from imagefactory.kernel.ids import uuid7


class Entity(models.Model):
    """A row with a time-ordered id of our making and the times of its birth and last change."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
