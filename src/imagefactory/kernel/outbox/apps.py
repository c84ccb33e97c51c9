"""Django's name for the outbox."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "imagefactory.kernel.outbox"
    label = "outbox"
    default_auto_field = "django.db.models.BigAutoField"
