"""The second language; needs no database, but compiled catalogues (`manage.py compilemessages`)."""

from django.test import SimpleTestCase


class LanguageTest(SimpleTestCase):
    def test_the_german_page_is_below_its_prefix(self):
        self.assertContains(self.client.get("/about/"), "<h1>About</h1>", html=True)
        self.assertContains(self.client.get("/de/about/"), "<h1>Über diese Seite</h1>", html=True)
