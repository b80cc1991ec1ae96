"""Runs Django's collectstatic with the settings of the application in the current directory.

Only what the static files' finders need is loaded: the settings and each application's configuration, neither models
nor what an application does when it is ready. So a step need not read them, and is not run again when they change.

Arguments: where to write a report, and the settings' module, empty for the one that manage.py names.
"""

import json
import os
import re
import sys


def find_manage():
    """Return the path of the topmost manage.py."""
    found = []
    for directory, directories, files in os.walk(os.getcwd()):
        directories.sort()
        if "manage.py" in files:
            found.append(os.path.join(directory, "manage.py"))
    return min(found, key=lambda path: (path.count(os.sep), path)) if found else None


def settings_of(manage):
    """Return the module that a manage.py sets as the default."""
    with open(manage, encoding="utf-8") as file:
        match = re.search(r"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""", file.read())
    if not match:
        sys.exit("%s names no settings: give the step `settings`" % manage)
    return match.group(1)


def configure(settings):
    """Choose the settings, and make their modules importable as manage.py would."""
    manage = find_manage()
    sys.path.insert(0, os.path.dirname(manage) if manage else os.getcwd())
    if not settings and not manage:
        sys.exit("there is no manage.py that names the settings: give the step `settings`")
    os.environ["DJANGO_SETTINGS_MODULE"] = settings or settings_of(manage)


def load_applications():
    """Load the configurations of the installed applications, and no more."""
    from django.apps import AppConfig, apps
    from django.conf import settings

    for entry in settings.INSTALLED_APPS:
        config = AppConfig.create(entry)
        config.apps = apps
        apps.app_configs[config.label] = config
    apps.apps_ready = True
    apps.clear_cache()


def missing_directories(settings):
    """Return the directories of STATICFILES_DIRS that are not there, absolute."""
    entries = [entry[1] if isinstance(entry, (list, tuple)) else entry for entry in settings.STATICFILES_DIRS]
    return [os.path.abspath(str(entry)) for entry in entries if not os.path.isdir(str(entry))]


def main(report, settings_module):
    configure(settings_module)
    load_applications()
    from django.conf import settings
    from django.core.management import call_command

    call_command("collectstatic", interactive=False, skip_checks=True, verbosity=1)
    static_root = os.path.abspath(str(settings.STATIC_ROOT))
    with open(report, "w", encoding="utf-8") as file:
        json.dump({"static_root": static_root, "missing": missing_directories(settings)}, file)


main(*sys.argv[1:])
