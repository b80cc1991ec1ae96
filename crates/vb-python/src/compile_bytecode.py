"""Compiles every Python source below the given directories to checked-hash bytecode (PEP 552).

Run as `python -S -c <this> <directory>...`. Prints one JSON list of the sources that do not compile, and succeeds:
templates and sources for other Python versions are normal contents of a distribution.
"""
import sys

# With -c the working directory comes first: a module there must not stand in for the standard library's.
sys.path = [path for path in sys.path if path]

import json
import os
import py_compile
import warnings


def sources(top):
    for directory, names, files in os.walk(top):
        names.sort()
        if "__pycache__" in names:
            names.remove("__pycache__")
        for name in sorted(files):
            path = os.path.join(directory, name)
            if name.endswith(".py") and os.path.isfile(path):
                yield path


def compile_all(tops):
    skipped = []
    for top in tops:
        for path in sources(top):
            try:
                py_compile.compile(
                    path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
                )
            except (py_compile.PyCompileError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
                cause = getattr(error, "exc_value", None) or error
                skipped.append({"path": path, "message": str(cause) or type(cause).__name__})
    return skipped


warnings.simplefilter("ignore")
os.umask(0o022)
json.dump(compile_all(sys.argv[1:]), sys.stdout)
