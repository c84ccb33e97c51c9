"""Tables of people, tenants, memberships, role bindings, API keys and API sessions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from imagefactory.domain.identity.permissions import Role
from imagefactory.kernel.ids import uuid7
from imagefactory.kernel.models import Entity


class UserManager(BaseUserManager["User"]):
    """Django's own commands ask for these two names; people are made by `services.sign_up`."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person. `email` is kept as typed and compared without case."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    is_system_admin = models.BooleanField(default=False)
    is_reviewer = models.BooleanField(default=False)
    time_zone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(auto_now_add=True)
    last_tenant_id = models.UUIDField(null=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="identity_user_email_once")]


class Tenant(Entity):
    """What keeps one company, or one part of it, apart from all others: people, projects, images. The capabilities are switched by a system administrator."""

    slug = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="UTC")
    may_build = models.BooleanField(default=True)
    may_quarantine_request = models.BooleanField(default=False)
    may_quarantine_release = models.BooleanField(default=False)
    may_ondemand_image_scanning = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(slug__regex=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"),
                name="identity_tenant_slug",
            )
        ]


class Membership(Entity):
    """That a person belongs to a tenant; what they may do there is said by role bindings."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    last_active_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="identity_membership_once")]


class RoleBinding(Entity):
    """A role of a person: owner in the whole tenant, any other role in one project."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    # Not a foreign key: projects are made above identity, and remove their bindings themselves when deleted.
    project_id = models.UUIDField(null=True)
    role = models.CharField(max_length=20, choices=[(r.value, r.value) for r in Role])

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "project_id"], name="identity_binding_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(role=Role.OWNER, project_id__isnull=True)
                | (~models.Q(role=Role.OWNER) & models.Q(project_id__isnull=False)),
                name="identity_owner_is_tenant_wide",
            ),
        ]
        indexes = [models.Index(fields=["user", "tenant"], name="identity_binding_user")]


class ApiKey(Entity):
    """A key for programs. Only its prefix and a hash are kept; it never grants more than its maker has."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "user"], name="identity_key_owner")]


class AuthSession(Entity):
    """A sign-in through the API: two typed tokens, kept as hashes, revoked together."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    access_hash = models.CharField(max_length=64, unique=True)
    access_expires_at = models.DateTimeField()
    refresh_hash = models.CharField(max_length=64, unique=True)
    refresh_expires_at = models.DateTimeField()
    address = models.CharField(max_length=64, blank=True)
    revoked_at = models.DateTimeField(null=True)
