"""Django's name for the replies."""

from django.apps import AppConfig


class RepliesConfig(AppConfig):
    name = "imagefactory.kernel.replies"
    label = "replies"
