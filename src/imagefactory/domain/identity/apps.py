"""Django's name for this app."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "imagefactory.domain.identity"
    label = "identity"
