"""Django's name for this app."""

from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "imagefactory.domain.projects"
    label = "projects"
