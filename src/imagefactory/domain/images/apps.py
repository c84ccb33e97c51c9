"""Django's name for this app."""

from django.apps import AppConfig


class ImagesConfig(AppConfig):
    name = "imagefactory.domain.images"
    label = "images"
