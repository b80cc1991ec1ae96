"""Compiles every Python source below the given directories to checked-hash bytecode (PEP 552).

Run as `python -S -c <this> <directory> ...`. The report is a JSON list of the sources that do not compile, which is no
failure: templates and sources for other Python versions are normal contents of a distribution.

Does what `py_compile.compile` does, with the same functions of importlib; importing `py_compile` takes longer than
compiling a small distribution.
"""
import sys

# With -c the working directory comes first: a module there must not stand in for the standard library's.
sys.path = [path for path in sys.path if path]

import os
import warnings
from _imp import source_hash
from importlib import _bootstrap_external as importing


def sources(top):
    for directory, names, files in os.walk(top):
        names.sort()
        if "__pycache__" in names:
            names.remove("__pycache__")
        for name in sorted(files):
            path = os.path.join(directory, name)
            if name.endswith(".py") and os.path.isfile(path):
                yield path


def compile_one(path):
    """Returns why the source does not compile; what goes wrong otherwise is raised."""
    loader = importing.SourceFileLoader("<py_compile>", path)
    source = loader.get_data(path)
    try:
        code = loader.source_to_code(source, path)
        bytecode = importing._code_to_hash_pyc(code, source_hash(importing._RAW_MAGIC_NUMBER, source), True)
    except Exception as error:
        return error
    target = importing.cache_from_source(path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    importing._write_atomic(target, bytecode, importing._calc_mode(path))


def compile_all(tops):
    skipped = []
    for top in tops:
        for path in sources(top):
            error = compile_one(path)
            if error is not None:
                skipped.append({"path": path, "message": str(error) or type(error).__name__})
    return skipped


def report(skipped):
    if not skipped:
        return "[]"
    import json

    return json.dumps(skipped)


warnings.simplefilter("ignore")
os.umask(0o022)
sys.stdout.write(report(compile_all(sys.argv[1:])))
