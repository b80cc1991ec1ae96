"""The settings. What differs between machines, and every secret, comes from the environment (README.md)."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent


def required(name):
    """Returns a variable that has no sensible default."""
    try:
        return os.environ[name]
    except KeyError:
        raise ImproperlyConfigured(f"the environment variable {name} is not set") from None


SECRET_KEY = required("DJANGO_SECRET_KEY")
DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost").split()
CSRF_TRUSTED_ORIGINS = os.environ.get("DJANGO_TRUSTED_ORIGINS", "").split()

INSTALLED_APPS = ["django.contrib.staticfiles", "nav", "huts"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "somedjangoapp.urls"
WSGI_APPLICATION = "somedjangoapp.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        # libpq takes what is empty from PGHOST, PGPORT, PGPASSWORD and its own defaults.
        "NAME": os.environ.get("PGDATABASE", "somedjangoapp"),
        "USER": os.environ.get("PGUSER", "somedjangoapp"),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Europe/Vienna"
USE_TZ = True

# gunicorn's standard error, which the supervisor keeps.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "collected"
# A page's addresses of static files carry the version of the package, so that browsers may keep what they have.
WHITENOISE_MAX_AGE = 0 if DEBUG else 30 * 24 * 3600

# What the application `nav` shows on every page: the names of views, and their titles.
NAV_LINKS = [("huts:list", _("All huts")), ("huts:open", _("Open huts")), ("huts:about", _("About"))]
