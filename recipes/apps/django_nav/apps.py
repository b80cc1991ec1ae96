"""The application's name."""

from django.apps import AppConfig


class NavConfig(AppConfig):
    name = "nav"
