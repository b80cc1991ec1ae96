"""Compiles sources that come through a named pipe, and writes checked-hash bytecode (PEP 552) to its standard output.

Run as `python -S -c <this> <pipe>`; `serve_bytecode.rs` says what goes through both. No file is read or written: a source
has the path that it will have. Does what `py_compile.compile` does, with the same functions of importlib.
"""
import sys

# With -c the working directory comes first: a module there must not stand in for the standard library's.
sys.path = [path for path in sys.path if path]

import gc
import os
import warnings
from _imp import source_hash
from importlib import _bootstrap_external as importing


# So many bytes are written at once: as a pipe takes.
ENOUGH = 1 << 16


def bytecode_of(path, source):
    code = importing.SourceFileLoader("<py_compile>", path).source_to_code(source, path)
    return importing._code_to_hash_pyc(code, source_hash(importing._RAW_MAGIC_NUMBER, source), True)


def answer(kind, path, content):
    return b"".join((kind, len(path).to_bytes(4, "little"), len(content).to_bytes(4, "little"), path, content))


def send(answers):
    """Writes whole answers: what the interpreter prints by itself goes to the same pipe, between two of them."""
    data = b"".join(answers)
    while data:
        data = data[os.write(1, data):]


def compile_all(requests):
    answers, size = [], 0
    while True:
        sizes = requests.read(8)
        name = requests.read(int.from_bytes(sizes[:4], "little"))
        if not name:
            send(answers + [b"\4"])
            return
        source = requests.read(int.from_bytes(sizes[4:], "little"))
        path = os.fsdecode(name)
        try:
            bytecode = bytecode_of(path, source)
        except Exception as error:
            message = str(error) or type(error).__name__
            answers.append(answer(b"\2", name, message.encode("utf-8", "replace")))
        else:
            answers.append(answer(b"\1", os.fsencode(importing.cache_from_source(path)), bytecode))
        size += len(answers[-1])
        if size > ENOUGH:
            send(answers)
            answers, size = [], 0


def serve(pipe):
    """Compiles the sources of one tree after each byte.

    Each time in a child: bytecode shows which of its strings are in use elsewhere in the process (marshal's references), so
    what was compiled before must not be there.
    """
    requests = os.open(pipe, os.O_RDONLY)
    os.write(1, b"\3")
    while os.read(requests, 1):
        child = os.fork()
        if child == 0:
            compile_all(open(requests, "rb", 1 << 16, closefd=False))
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(1)


warnings.simplefilter("ignore")
# A compiler leaves few circles, and looking for them takes time.
gc.disable()
serve(sys.argv[1])
