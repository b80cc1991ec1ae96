"""Imports every top-level module and package of `site-packages`, each in a process of its own.

Prints `IMPORT <module>` for each, with the error behind it where there is one. What a module prints is not shown.
"""
import sys

sys.path = [path for path in sys.path if path]

import importlib
import os
import signal
import sysconfig

SECONDS = 120
MODULES = (".py", ".so")


def modules(top):
    for name in sorted(os.listdir(top)):
        path = os.path.join(top, name)
        if os.path.isdir(path) and name.isidentifier() and name != "__pycache__":
            yield name
        elif name.endswith(MODULES) and name.split(".")[0].isidentifier():
            yield name.split(".")[0]


def attempt(module, errors):
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    signal.alarm(SECONDS)
    try:
        importlib.import_module(module)
        error = ""
    except BaseException as raised:
        error = " ".join(("%s: %s" % (type(raised).__name__, raised)).split())[:300]
    os.write(errors, error.encode())
    os._exit(0)


for module in modules(sysconfig.get_path("purelib")):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        attempt(module, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        error = pipe.read().decode("utf-8", "replace")
    status = os.waitpid(child, 0)[1]
    if status:
        error = "the interpreter ended with status %d" % status
    print("IMPORT", module, error, flush=True)
