"""The links of the bar, as plain data."""

from dataclasses import dataclass

from django.urls import reverse, translate_url


@dataclass(frozen=True)
class Link:
    """Where a link goes, what it is called, and whether it is where the visitor is."""

    url: str
    title: str
    is_current: bool


def view_links(views, current):
    """Makes a link for each view of ``(name, title)``; ``current`` is the path of the page."""
    links = [(reverse(name), title) for name, title in views]
    return [Link(url, title, url == current) for url, title in links]


def language_links(languages, path, current):
    """Makes a link to the same page in each language of ``(code, title)``; ``current`` is the page's language."""
    return [(code, Link(translate_url(path, code), title, code == current)) for code, title in languages]
