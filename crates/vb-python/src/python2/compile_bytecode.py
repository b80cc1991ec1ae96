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

# So many bytes are written at once: as a pipe takes.
ENOUGH = 1 << 16


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


def answer(kind, path, content):
    return kind + struct.pack("<II", len(path), len(content)) + path + content


def send(answers):
    """Writes whole answers: what the interpreter prints by itself goes to the same pipe, between two of them."""
    data = "".join(answers)
    while data:
        data = data[os.write(1, data):]


def compile_all(requests, seconds):
    answers, waiting = [], 0
    while True:
        sizes = requests.read(8)
        length, size = struct.unpack("<II", sizes) if sizes else (0, 0)
        if length == 0:
            send(answers + ["\4"])
            return
        path = requests.read(length)
        source = requests.read(size).replace("\r\n", "\n").replace("\r", "\n")
        try:
            bytecode = bytecode_of(path, source, seconds)
        except Exception as error:
            message = text_of(error) or type(error).__name__
            answers.append(answer("\2", path, message.encode("utf-8")))
        else:
            answers.append(answer("\1", path + "c", bytecode))
        waiting += len(answers[-1])
        if waiting > ENOUGH:
            send(answers)
            answers, waiting = [], 0


def serve(pipe, seconds):
    requests = os.open(pipe, os.O_RDONLY)
    os.write(1, "\3")
    while os.read(requests, 1):
        child = os.fork()
        if child == 0:
            compile_all(os.fdopen(requests, "rb", 1 << 18), seconds)
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(1)


warnings.simplefilter("ignore")
os.umask(0o022)
if sys.argv[1] == "serve":
    serve(sys.argv[3], int(sys.argv[2]))
else:
    sys.stdout.write(report(sys.argv[3:], int(sys.argv[2]) if sys.argv[1] == "once" else None))
