"""Django's name for this app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "imagefactory.domain.audit"
    label = "audit"
