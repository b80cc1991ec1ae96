"""Compiles every Python source below the given directories, as Python 2 does: to `x.pyc` beside `x.py`.

Run by Python 2 as `python2.7 -S -c <this> <mode> <seconds> <argument> ...`. `once` and `check` have directories; `serve` has
a named pipe and a directory, which it compiles once for each line in the pipe, with a NUL behind each report. `check`
writes nothing. Bytecode is valid for a source with the modification time `<seconds>` alone. A report is a JSON list of the
sources that do not compile, which is no failure.
"""
import sys

# With -c the working directory comes first: a module there must not stand in for the standard library's.
sys.path = [path for path in sys.path if path]

import imp
import json
import marshal
import os
import struct
import warnings


def sources(top):
    for directory, names, files in os.walk(top):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            if name.endswith(".py") and os.path.isfile(path):
                yield path


def compile_one(path, seconds):
    """Returns why the source does not compile; what goes wrong otherwise is raised."""
    with open(path, "U") as file:
        source = file.read()
    try:
        bytecode = marshal.dumps(compile(source, path, "exec", 0, True))
    except Exception as error:
        return error
    if seconds is not None:
        with open(path + "c", "wb") as file:
            file.write(imp.get_magic() + struct.pack("<I", seconds) + bytecode)


def text_of(what):
    return str(what).decode("utf-8", "replace")


def report(tops, seconds):
    skipped = []
    for top in tops:
        for path in sources(top):
            error = compile_one(path, seconds)
            if error is not None:
                skipped.append({"path": text_of(path), "message": text_of(error) or type(error).__name__})
    return json.dumps(skipped)


def serve(requests, top, seconds):
    # Iterating over the file would wait for more lines than one.
    for _ in iter(open(requests).readline, ""):
        child = os.fork()
        if child == 0:
            sys.stdout.write(report([top], seconds) + "\0")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(1)


warnings.simplefilter("ignore")
os.umask(0o022)
if sys.argv[1] == "serve":
    serve(sys.argv[3], sys.argv[4], int(sys.argv[2]))
else:
    sys.stdout.write(report(sys.argv[3:], int(sys.argv[2]) if sys.argv[1] == "once" else None))
