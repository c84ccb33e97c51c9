"""The table of links that prove an e-mail address."""

from __future__ import annotations

from django.db import models

from imagefactory.domain.identity.models.people import User
from imagefactory.kernel.models import Entity


class EmailProof(Entity):
    """That a link was asked for. The link itself is made when the mail is (`kernel.secrets`), so nothing here opens a door."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=20)
    email = models.EmailField(max_length=254)  # the address that the link goes to
    version = models.PositiveIntegerField(default=1)  # a later link ends the earlier ones
    asked_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "purpose"], name="identity_proof_once")]
