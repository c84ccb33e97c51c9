"""Tables of identity providers: who may say who someone is, what they said before, and whom CI jobs are believed."""

from __future__ import annotations

from django.db import models

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.domain.identity.states import ProviderKind
from imagefactory.kernel.models import Entity


class IdentityProvider(Entity):
    """An OpenID provider, a SAML identity provider or a directory, of one tenant or (without one) of the installation."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=10, choices=[(k.value, k.value) for k in ProviderKind])
    name = models.CharField(max_length=80)
    enabled = models.BooleanField(default=False)
    configuration = models.JSONField(default=dict)
    secret = models.BinaryField(null=True)
    # It is believed about addresses in these domains only, in small letters.
    domains = models.JSONField(default=list)
    # An administrator saw that the tenant owns the domains: only then does a typed address lead here.
    domains_confirmed = models.BooleanField(default=False)
    creates_people = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="identity_provider_name", nulls_distinct=False)
        ]


class ProviderRole(Entity):
    """What a provider gives: a role to all its people (`group` empty) or to those in a group of it."""

    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="+")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    group = models.CharField(max_length=400, blank=True)
    role = models.CharField(max_length=20)
    project_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "tenant", "group", "project_id"],
                name="identity_provider_role",
                nulls_distinct=False,
            )
        ]


class ExternalIdentity(Entity):
    """A person as a provider knows them. `ended_at`: the provider no longer does, and nobody gets in through it."""

    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    subject = models.CharField(max_length=500)
    # The person linked it themselves, with their own password: it then opens their whole account.
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    last_sign_in_at = models.DateTimeField(null=True)
    # Sessions opened before this moment have ended.
    sessions_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "subject"], name="identity_external_subject"),
            models.UniqueConstraint(fields=["provider", "user"], name="identity_external_user"),
        ]


class ProviderGrant(Entity):
    """A role that someone has because a provider said so: only these are taken away when it no longer does."""

    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="+")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    project_id = models.UUIDField(null=True)
    role = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "tenant", "user", "project_id"], name="identity_grant_once", nulls_distinct=False
            )
        ]


class SpentToken(models.Model):
    """The hash of an assertion or token that was used and may not be used again while it lives."""

    key = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)


class CiTrust(Entity):
    """Which jobs of a CI system a tenant believes, and what a key made for them may do."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    enabled = models.BooleanField(default=True)
    issuer = models.CharField(max_length=500)
    audience = models.CharField(max_length=200)
    # Claim -> pattern, such as {"repository": "shop/app", "ref": "refs/heads/main"}; all must match.
    claims = models.JSONField(default=dict)
    project_ids = models.JSONField(default=list)
    permissions = models.JSONField(default=list)
    minutes = models.PositiveSmallIntegerField(default=15)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="identity_ci_trust_name")]
