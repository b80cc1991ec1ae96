"""The tag that shows the bar: ``{% nav %}``."""

from django import template
from django.conf import settings
from django.utils.translation import get_language

from ..links import language_links, view_links

register = template.Library()


@register.inclusion_tag("nav/bar.html", takes_context=True)
def nav(context):
    """Shows ``NAV_LINKS`` and ``LANGUAGES`` of the project's settings."""
    request = context["request"]
    return {
        "views": view_links(settings.NAV_LINKS, request.path),
        "languages": language_links(settings.LANGUAGES, request.get_full_path(), get_language()),
    }
