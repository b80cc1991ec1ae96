"""The application's name."""

from django.apps import AppConfig


class HutsConfig(AppConfig):
    name = "huts"
