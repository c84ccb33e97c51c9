"""The table of invitations."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.models.roles import CustomRole
from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.domain.identity.permissions import Role
from imagefactory.domain.identity.states import InvitationState
from imagefactory.kernel.models import Entity


class Invitation(Entity):
    """That an address may join a tenant with a role. The link's token is made from `id` and `version`, and not kept."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    email = models.CharField(max_length=254)
    # Null when the installation itself invites, as for the first owner of a tenant that an administrator made.
    invited_by = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    role = models.CharField(max_length=20, blank=True, choices=[(r.value, r.value) for r in Role])
    custom_role = models.ForeignKey(CustomRole, on_delete=models.RESTRICT, null=True, related_name="+")
    projects = ArrayField(models.UUIDField(), default=list)
    message = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, default=InvitationState.PENDING)
    version = models.PositiveIntegerField(default=1)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # Why nobody can accept it any more, as a sentence: its role or one of its projects was deleted.
    void_because = models.CharField(max_length=200, blank=True)
    # Whether its maker saw the link, for lack of mail: then using it proves nothing about the address.
    link_was_shown = models.BooleanField(default=False)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "tenant", Lower("email"), condition=Q(state=InvitationState.PENDING), name="identity_invited_once"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="identity_invited_newest")]
