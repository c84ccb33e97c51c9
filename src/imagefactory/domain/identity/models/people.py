"""The table of people."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from imagefactory.kernel.ids import uuid7


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
    is_read_only_admin = models.BooleanField(default=False)
    is_reviewer = models.BooleanField(default=False)
    email_confirmed = models.BooleanField(default=True)
    # Where no mail is sent, nobody is asked to confirm an address; that is not the same as having proven it.
    email_proven = models.BooleanField(default=False)
    must_change_password = models.BooleanField(default=False)
    time_zone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(auto_now_add=True)
    last_tenant_id = models.UUIDField(null=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="identity_user_email_once")]
