"""The addresses: English ones have no prefix, German ones are below ``/de/``."""

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

urlpatterns = i18n_patterns(path("", include("huts.urls")), prefix_default_language=False)
