"""Compiles every Python source below the given directories, as Python 2 does: to `x.pyc` beside `x.py`.

Run by Python 2 as `python2.7 -S -c <this> <mode> <seconds> <argument> ...`. `once` and `check` have directories; `serve` has
a named pipe, and answers what comes through it as `serve_bytecode.rs` says. `check` writes nothing. Bytecode is valid for a
source with the modification time `<seconds>` alone. A report is a JSON list of the sources that do not compile, which is no
failure.
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


def bytecode_of(path, source, seconds):
    bytecode = marshal.dumps(compile(source, path, "exec", 0, True))
    return imp.get_magic() + struct.pack("<I", seconds) + bytecode


def compile_one(path, seconds):
    """Returns why the source does not compile; what goes wrong otherwise is raised."""
    with open(path, "U") as file:
        source = file.read()
    try:
        bytecode = bytecode_of(path, source, seconds or 0)
    except Exception as error:
        return error
    if seconds is not None:
        with open(path + "c", "wb") as file:
            file.write(bytecode)


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


def answer(results, kind, path, content):
    results.write(kind + struct.pack("<II", len(path), len(content)) + path + content)


def compile_all(requests, results, seconds):
    while True:
        sizes = requests.read(8)
        if not sizes:
            return
        length, size = struct.unpack("<II", sizes)
        if length == 0:
            return
        path = requests.read(length)
        source = requests.read(size).replace("\r\n", "\n").replace("\r", "\n")
        try:
            bytecode = bytecode_of(path, source, seconds)
        except Exception as error:
            message = text_of(error) or type(error).__name__
            answer(results, "\2", path, message.encode("utf-8"))
        else:
            answer(results, "\1", path + "c", bytecode)


def serve(pipe, seconds):
    requests = os.open(pipe, os.O_RDONLY)
    os.write(1, "\3")
    while os.read(requests, 1):
        child = os.fork()
        if child == 0:
            compile_all(os.fdopen(requests, "rb", 1 << 18), sys.stdout, seconds)
            sys.stdout.write("\4")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(1)


warnings.simplefilter("ignore")
os.umask(0o022)
if sys.argv[1] == "serve":
    serve(sys.argv[3], int(sys.argv[2]))
else:
    sys.stdout.write(report(sys.argv[3:], int(sys.argv[2]) if sys.argv[1] == "once" else None))
