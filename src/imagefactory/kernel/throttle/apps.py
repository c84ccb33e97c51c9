"""Django's name for the throttle."""

from django.apps import AppConfig


class ThrottleConfig(AppConfig):
    name = "imagefactory.kernel.throttle"
    label = "throttle"
    default_auto_field = "django.db.models.BigAutoField"
