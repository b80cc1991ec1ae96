"""The pages as a visitor sees them; they need PostgreSQL."""

from django.test import TestCase

from huts.models import Facility, Hut


class PagesTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.high = Hut.objects.create(
            name="Zugspitzhütte", slug="zugspitzhutte", altitude=2962, beds=12, facilities=[Facility.STOVE]
        )
        Hut.objects.create(name="Hochschoberhütte", slug="hochschoberhutte", altitude=2322, beds=45, is_open=False)

    def names(self, url):
        return [hut.name for hut in self.client.get(url).context["huts"]]

    def test_the_list_is_narrowed_by_name_facility_and_state(self):
        self.assertEqual(self.names("/"), ["Hochschoberhütte", "Zugspitzhütte"])
        self.assertEqual(self.names("/?name=hoch"), ["Hochschoberhütte"])
        self.assertEqual(self.names("/?facility=stove"), ["Zugspitzhütte"])
        self.assertEqual(self.names("/?facility=cinema"), ["Hochschoberhütte", "Zugspitzhütte"])
        self.assertEqual(self.names("/open/"), ["Zugspitzhütte"])

    def test_a_note_is_kept_and_shown(self):
        answer = self.client.post("/huts/zugspitzhutte/", {"author": "Ada", "text": "Bring your own wood."})
        self.assertRedirects(answer, "/huts/zugspitzhutte/")
        self.assertContains(self.client.get("/huts/zugspitzhutte/"), "Bring your own wood.")

    def test_a_note_that_says_nothing_is_refused(self):
        answer = self.client.post("/huts/zugspitzhutte/", {"author": "Ada", "text": "Hm."})
        self.assertEqual(answer.status_code, 200)
        self.assertFalse(self.high.notes.exists())
