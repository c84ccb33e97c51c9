"""Django's name for this part: allauth finds its provider classes through it."""

from django.apps import AppConfig


class SsoConfig(AppConfig):
    name = "imagefactory.entry.web.sso"
    label = "sso"
