"""The addresses below the language's prefix."""

from django.urls import path

from . import views

app_name = "huts"
urlpatterns = [
    path("", views.HutList.as_view(), name="list"),
    path("open/", views.HutList.as_view(open_only=True), name="open"),
    path("about/", views.About.as_view(), name="about"),
    path("huts/<slug:slug>/", views.HutDetail.as_view(), name="detail"),
]
