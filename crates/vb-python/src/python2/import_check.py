"""Imports what an application's modules import, and reports each import that fails: for Python 2.

Run as `python -c <this> <application directory> <report file> [<options>]` with the environment's interpreter. What it
does is what `import_check.py` of other Pythons does: one JSON document in the report file, and imports in forked children
with muted output. Optional imports do not count. A Django project is not set up. Of the application's own modules, those
that do not parse are imported.
"""
import sys

# With -c the working directory comes first, which is no part of the environment's module path.
sys.path = [path for path in sys.path if path]

import ast
import imp
import json
import os
import re
import signal
import traceback

OPTIONS = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
SECONDS = OPTIONS.get("seconds", 60)
SKIPPED = OPTIONS.get("skip", [])
SKIPPED_DIRECTORIES = ("node_modules", "test", "tests")
IMPORT_ERRORS = ("ImportError", "Exception", "StandardError", "BaseException")
LIBRARY = re.compile(r"^([^\s:]+\.so[^\s:]*): cannot open shared object file")
ABSENT = re.compile(r"^No module named (\S+)$")


def text_of(what):
    return what if isinstance(what, unicode) else str(what).decode("utf-8", "replace")


def sources(top):
    for directory, names, files in os.walk(top):
        names[:] = sorted(name for name in names if name not in SKIPPED_DIRECTORIES and not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith("test_") and name not in ("conftest.py", "setup.py"):
                yield os.path.join(directory, name)


def package_of(path, top):
    """Returns the package that a file is in: the directories above it that have an `__init__.py`."""
    parts = []
    directory = os.path.dirname(path)
    while directory != top and os.path.exists(os.path.join(directory, "__init__.py")):
        parts.insert(0, os.path.basename(directory))
        directory = os.path.dirname(directory)
    return parts


def last_name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def catches_import_errors(error):
    if error is None:
        return True
    if isinstance(error, ast.Tuple):
        return any(catches_import_errors(element) for element in error.elts)
    return last_name(error) in IMPORT_ERRORS


def known_value(test):
    """Evaluates a condition on the platform or the Python version; None for all others."""
    allowed = (
        ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.Compare, ast.cmpop, ast.Attribute, ast.Subscript, ast.slice,
        ast.Name, ast.Tuple, ast.Num, ast.Str, ast.expr_context, ast.Call,
    )
    fields = ("platform", "version_info", "name", "TYPE_CHECKING", "major", "minor", "startswith")
    typing = type("typing", (), {"TYPE_CHECKING": False})
    values = {"sys": sys, "os": os, "TYPE_CHECKING": False, "typing": typing, "True": True, "False": False}
    for node in ast.walk(test):
        is_known = isinstance(node, allowed)
        is_known = is_known and (not isinstance(node, ast.Name) or node.id in values)
        is_known = is_known and (not isinstance(node, ast.Call) or last_name(node.func) == "startswith")
        is_known = is_known and (not isinstance(node, ast.Attribute) or node.attr in fields)
        if not is_known:
            return None
    try:
        return bool(eval(compile(ast.Expression(body=test), "condition", "eval"), {"__builtins__": {}}, values))
    except Exception:
        return None


class Imports(ast.NodeVisitor):
    """Collects (module, name or "", line) of every import that the file cannot do without."""

    def __init__(self, package, directory, is_absolute):
        self.package, self.directory, self.is_absolute = package, directory, is_absolute
        self.found = []

    def visit_Import(self, node):
        self.found.extend((self.place(alias.name), "", node.lineno) for alias in node.names)

    def visit_ImportFrom(self, node):
        module = node.module or ""
        if node.level:
            base = self.package[:len(self.package) - node.level + 1]
            module = ".".join(base + [module] if module else base) or "." * node.level
        else:
            module = self.place(module)
        self.found.extend((module, "" if alias.name == "*" else alias.name, node.lineno) for alias in node.names)

    def place(self, module):
        """In a package, a module beside the file comes before one that is elsewhere (PEP 328)."""
        first = os.path.join(self.directory, module.split(".")[0])
        is_beside = os.path.exists(first + ".py") or os.path.exists(os.path.join(first, "__init__.py"))
        if self.package and is_beside and not self.is_absolute:
            return ".".join(self.package + [module])
        return module

    def visit_TryExcept(self, node):
        if not any(catches_import_errors(handler.type) for handler in node.handlers):
            self.visit_all(node.body)
            for handler in node.handlers:
                self.visit_all(handler.body)
        self.visit_all(node.orelse)

    def visit_If(self, node):
        value = known_value(node.test)
        if value is not False:
            self.visit_all(node.body)
        if value is not True:
            self.visit_all(node.orelse)

    def visit_all(self, nodes):
        for node in nodes:
            self.visit(node)


def is_beside_script(module, path, package):
    """Is the module found only because Python puts a script's own directory on the module path?"""
    name = module.split(".")[0]
    beside = os.path.join(os.path.dirname(path), name)
    if package or not (os.path.exists(beside + ".py") or os.path.isdir(beside)):
        return False
    try:
        imp.find_module(name)
    except ImportError:
        return True
    return False


def has_absolute_imports(tree):
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    return any(alias.name == "absolute_import" for node in imports for alias in node.names)


def module_of(path, top):
    """Returns the name by which a source can be imported; None for a script, and where it is on no module path."""
    package, name = package_of(path, top), os.path.basename(path)[:-len(".py")]
    base = os.path.join(path, *[".."] * (len(package) + 1))
    if os.path.normpath(base) not in [os.path.abspath(entry) for entry in sys.path] or os.access(path, os.X_OK):
        return None
    parts = package + ([] if name == "__init__" else [name])
    with open(path, "rb") as file:
        is_script = file.read(2) == b"#!"
    return None if is_script or not parts or name == "__main__" else ".".join(parts)


def collect(top):
    """Returns the imports of all sources: {(module, name): [place, ...]}, and the sources that do not parse: what these import
    is not known, so they are imported themselves."""
    needed, unparsed = {}, []
    for path in sources(top):
        shown = os.path.relpath(path, top)
        try:
            with open(path, "U") as file:
                tree = ast.parse(file.read(), shown)
        except (SyntaxError, TypeError, ValueError, RuntimeError) as error:
            unparsed.append({"file": text_of(shown), "message": text_of(error)})
            module = module_of(path, top)
            if module:
                needed.setdefault((module, ""), []).append(shown)
            continue
        package = package_of(path, top)
        imports = Imports(package, os.path.dirname(path), has_absolute_imports(tree))
        imports.visit(tree)
        for module, name, line in imports.found:
            if module != "__future__" and not is_beside_script(module, path, package):
                needed.setdefault((module, name), []).append("%s:%d" % (shown, line))
    return needed, unparsed


def is_skipped(module, name):
    full = module + "." + name if name else module
    return any(full == skipped or full.startswith(skipped + ".") for skipped in SKIPPED)


def do_import(module, name):
    __import__(module)
    imported = sys.modules[module]
    if name and not hasattr(imported, name):
        try:
            __import__(module + "." + name)
        except ImportError as error:
            absent = ABSENT.match(str(error))
            if not absent or absent.group(1) not in (name, module + "." + name):
                raise
            raise ImportError("cannot import name %s from %s" % (name, module))


def describe(error, module, top):
    frames = traceback.extract_tb(sys.exc_info()[2])
    places = ["%s:%d" % (os.path.relpath(frame[0], top), frame[1]) for frame in frames if frame[0].startswith(top + os.sep)]
    message = text_of(error) or text_of(type(error).__name__)
    library, absent = LIBRARY.match(message), ABSENT.match(message)
    missing = absent.group(1) if absent and isinstance(error, ImportError) else None
    # Python 2 says the last part of a name alone.
    if missing and module.split(".")[-1] == missing:
        missing = module
    return {
        "error": type(error).__name__,
        "message": message,
        "missing_library": library.group(1) if library else None,
        "missing_module": missing,
        "raised_at": text_of(places[-1]) if places else None,
    }


def own_failure(error, message):
    return {"error": error, "message": message, "missing_library": None, "missing_module": None, "raised_at": None}


def try_import(module, name, top):
    """Imports in a child of its own, so that what one import does to the process harms no other."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            sys.argv = [""]
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SECONDS)
            failure = None
            try:
                do_import(module, name)
            except BaseException as error:
                failure = describe(error, module, top)
            signal.alarm(0)
            os.write(writer, json.dumps(failure) + "\n")
        finally:
            os._exit(0)
    os.close(writer)
    # One line, and not all: what the import has started may hold the pipe open.
    with os.fdopen(reader, "rb") as lines:
        line = lines.readline()
    status = os.waitpid(child, 0)[1]
    if line:
        return json.loads(line)
    number = status & 0x7F
    if number == signal.SIGALRM:
        return own_failure("Timeout", "the import did not end within %d seconds" % SECONDS)
    if number:
        return own_failure("Crash", "the interpreter was killed by signal %d" % number)
    return own_failure("Exit", "the import ended the interpreter with exit status %d" % (status >> 8))


def report(needed, top):
    found = []
    for module, name in sorted(needed):
        failure = try_import(module, name, top)
        if not failure:
            continue
        places = sorted(text_of(place) for place in needed[module, name])
        same = [entry for entry in found if entry["module"] == module and entry["message"] == failure["message"]]
        if same:
            same[0]["needed_by"] = sorted(set(same[0]["needed_by"] + places))
        else:
            found.append(dict(failure, module=module, needed_by=places, distribution=None))
    return found


def main(top, output):
    top = os.path.abspath(top)
    needed, unparsed = collect(top)
    needed = dict((key, places) for key, places in needed.items() if not is_skipped(*key))
    document = {"imports": len(needed), "failures": report(needed, top), "unparsed": unparsed}
    with open(output, "w") as file:
        json.dump(document, file, indent=1, sort_keys=True)


main(*sys.argv[1:3])
