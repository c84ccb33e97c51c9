"""Django's name for this app."""

from django.apps import AppConfig


class BuildsConfig(AppConfig):
    name = "imagefactory.domain.builds"
    label = "builds"
