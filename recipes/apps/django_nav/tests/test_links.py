"""The links of the bar. `manage.py test nav` in a project that has it."""

from django.test import SimpleTestCase, override_settings
from django.urls import path

from ..links import language_links, view_links

urlpatterns = [path("", lambda request: None, name="first"), path("second/", lambda request: None, name="second")]


@override_settings(ROOT_URLCONF=__name__)
class LinksTest(SimpleTestCase):
    def test_the_link_to_the_page_itself_is_current(self):
        links = view_links([("first", "One"), ("second", "Two")], "/second/")
        self.assertEqual([(link.url, link.is_current) for link in links], [("/", False), ("/second/", True)])

    def test_a_page_that_has_no_other_address_keeps_its_own(self):
        links = dict(language_links([("en", "English"), ("de", "Deutsch")], "/second/?page=2", "de"))
        self.assertEqual(links["de"].url, "/second/?page=2")
        self.assertTrue(links["de"].is_current)
        self.assertFalse(links["en"].is_current)
