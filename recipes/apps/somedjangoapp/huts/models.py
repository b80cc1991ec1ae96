"""Huts, and the notes that visitors leave about them."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MinLengthValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class Facility(models.TextChoices):
    """What a hut has."""

    WATER = "water", _("Drinking water")
    STOVE = "stove", _("Stove")
    BLANKETS = "blankets", _("Blankets")
    WINTER_ROOM = "winter_room", _("Winter room")


class Hut(models.Model):
    """A hut, known by its slug."""

    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    altitude = models.PositiveSmallIntegerField(help_text="metres above the sea")
    beds = models.PositiveSmallIntegerField()
    is_open = models.BooleanField(default=True)
    facilities = ArrayField(models.CharField(max_length=20, choices=Facility), default=list, blank=True)

    class Meta:
        ordering = ["name"]
        indexes = [GinIndex(fields=["facilities"], name="hut_facilities")]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("huts:detail", args=[self.slug])

    def facility_labels(self):
        """Returns the names of the facilities in the language of the page."""
        return [Facility(value).label for value in self.facilities]


class Note(models.Model):
    """What a visitor has to say."""

    hut = models.ForeignKey(Hut, on_delete=models.CASCADE, related_name="notes")
    author = models.CharField(_("Your name"), max_length=60)
    text = models.TextField(_("What others should know"), max_length=500, validators=[MinLengthValidator(10)])
    written_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-written_at", "-id"]

    def __str__(self):
        return f"{self.author}: {self.text[:40]}"
