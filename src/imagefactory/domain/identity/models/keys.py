"""Tables of API keys and of a tenant's rules for them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.models.service_accounts import ServiceAccount
from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.domain.identity.states import KeyKind
from imagefactory.kernel.models import Entity


class ApiKey(Entity):
    """A key for programs. Only its prefix and a hash are kept; it never grants more than whom it acts for has.

    A key that was rotated is the row that another one `replaces`; until its own end both work.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, default=KeyKind.PERSONAL, choices=[(k.value, k.value) for k in KeyKind])
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", null=True)
    service_account = models.ForeignKey(ServiceAccount, on_delete=models.CASCADE, related_name="+", null=True)
    name = models.CharField(max_length=80)
    note = models.CharField(max_length=300, blank=True, default="")
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    # None: wherever its owner may. Not foreign keys: projects are made above identity.
    project_ids = ArrayField(models.UUIDField(), null=True)
    # What the provider of a CI run vouched for, such as its repository and ref.
    identity = models.JSONField(default=dict)
    replaces = models.OneToOneField("self", on_delete=models.SET_NULL, related_name="replaced_by", null=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.CharField(max_length=64, blank=True, default="")
    revoked_at = models.DateTimeField(null=True)
    # The least number of days before its end at which its owner was warned.
    warned_days = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=KeyKind.PERSONAL, user__isnull=False, service_account__isnull=True)
                | Q(kind=KeyKind.SERVICE, user__isnull=True, service_account__isnull=False)
                | Q(kind=KeyKind.CI, user__isnull=True, service_account__isnull=True, project_ids__isnull=False),
                name="identity_key_has_one_holder",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "user"], name="identity_key_owner"),
            models.Index(fields=["tenant", "kind", "-created_at"], name="identity_key_newest"),
            models.Index(fields=["expires_at"], name="identity_key_ending", condition=Q(revoked_at__isnull=True)),
        ]


class KeyPolicy(Entity):
    """What a tenant asks of its keys; without a row, what the installation asks."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+")
    days_max = models.PositiveSmallIntegerField()
