"""What visitors can fill in."""

from django import forms
from django.utils.translation import gettext_lazy as _

from .models import Facility, Note


class SearchForm(forms.Form):
    """Narrows the list of huts."""

    name = forms.CharField(label=_("Name"), required=False, max_length=80)
    facility = forms.ChoiceField(
        label=_("Facility"), required=False, choices=lambda: [("", _("any")), *Facility.choices]
    )

    def narrow(self, huts):
        """Returns the huts that fit; a form that is not valid narrows nothing."""
        if not self.is_valid():
            return huts
        if name := self.cleaned_data["name"]:
            huts = huts.filter(name__icontains=name)
        if facility := self.cleaned_data["facility"]:
            huts = huts.filter(facilities__contains=[facility])
        return huts


class NoteForm(forms.ModelForm):
    """Adds a note to a hut."""

    class Meta:
        model = Note
        fields = ["author", "text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3})}
