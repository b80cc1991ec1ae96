"""The pages."""

from django.db.models import Count
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import FormView, ListView, TemplateView

from .forms import NoteForm, SearchForm
from .models import Hut


class HutList(ListView):
    """All huts, or those that the visitor searches for."""

    template_name = "huts/list.html"
    context_object_name = "huts"
    open_only = False

    def get_queryset(self):
        # Aggregates drop the order of the model itself.
        huts = Hut.objects.annotate(note_count=Count("notes")).order_by("name")
        if self.open_only:
            huts = huts.filter(is_open=True)
        self.form = SearchForm(self.request.GET)
        return self.form.narrow(huts)

    def get_context_data(self, **kwargs):
        return super().get_context_data(form=self.form, **kwargs)


class HutDetail(FormView):
    """One hut with its notes, and a form for another note."""

    template_name = "huts/detail.html"
    form_class = NoteForm

    def setup(self, request, *args, **kwargs):
        super().setup(request, *args, **kwargs)
        self.hut = get_object_or_404(Hut, slug=kwargs["slug"])

    def get_context_data(self, **kwargs):
        return super().get_context_data(hut=self.hut, notes=self.hut.notes.all(), **kwargs)

    def form_valid(self, form):
        form.instance.hut = self.hut
        form.save()
        return redirect(self.hut)


class About(TemplateView):
    """What this is."""

    template_name = "huts/about.html"
