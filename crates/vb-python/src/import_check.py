"""Imports what an application's modules import, and reports each import that fails.

Run as `python -c <this> <application directory> <report file> [<options>]` with the environment's interpreter. Writes one JSON
document to the report file and succeeds, whatever the imports do: they run in forked children with muted output, so that
a module that exits, hangs or crashes the interpreter is reported by name like any other.

A Django project is set up first, as its `manage.py` does: models can be imported after the settings only.
"""
import sys

# With -c the working directory comes first, which is no part of the environment's module path.
sys.path = [path for path in sys.path if path]

import ast
import importlib.util
import json
import os
import re
import signal
import traceback

OPTIONS = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
SECONDS_PER_IMPORT = OPTIONS.get("seconds", 60)
SKIPPED_MODULES = OPTIONS.get("skip", [])
SKIPPED_DIRECTORIES = {"__pycache__", "node_modules", "test", "tests"}
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
STUB = "a stub for the build"
# What models raise that are imported in a project whose settings have failed.
UNCONFIGURED = {"AppRegistryNotReady", "ImproperlyConfigured"}
MISSING_LIBRARY = re.compile(r"^([^\s:]+\.so[^\s:]*): cannot open shared object file")


def sources(top):
    for directory, names, files in os.walk(top):
        names[:] = sorted(name for name in names if name not in SKIPPED_DIRECTORIES and not name.startswith("."))
        for name in sorted(files):
            is_test = name.startswith("test_") or name in ("conftest.py", "setup.py")
            if name.endswith(".py") and not is_test:
                yield os.path.join(directory, name)


def package_of(path, top):
    """Returns the package that a file is in, by the longest entry of the module path that it is below."""
    entries = [os.path.abspath(entry) for entry in sys.path if path.startswith(os.path.abspath(entry) + os.sep)]
    base = max(entries, key=len, default=top)
    return ".".join(os.path.relpath(path, base).split(os.sep)[:-1])


class Imports(ast.NodeVisitor):
    """Collects (module, name or None, line) of every import that the file cannot do without."""

    def __init__(self, package):
        self.package = package
        self.found = []

    def visit_Import(self, node):
        self.found.extend((alias.name, None, node.lineno) for alias in node.names)

    def visit_ImportFrom(self, node):
        module = node.module or ""
        if node.level:
            relative = "." * node.level + module
            try:
                module = importlib.util.resolve_name(relative, self.package)
            except (ImportError, ValueError):
                module = relative
        for alias in node.names:
            name = None if alias.name == "*" else alias.name
            self.found.append((module, name, node.lineno))

    def visit_Try(self, node):
        if not any(catches_import_errors(handler.type) for handler in node.handlers):
            self.visit_all(node.body)
            for handler in node.handlers:
                self.visit_all(handler.body)
        self.visit_all(node.orelse)
        self.visit_all(node.finalbody)

    visit_TryStar = visit_Try

    def visit_With(self, node):
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        is_suppressed = any(
            last_name(call.func) == "suppress" and any(catches_import_errors(error) for error in call.args)
            for call in calls
        )
        if not is_suppressed:
            self.visit_all(node.body)

    def visit_If(self, node):
        value = known_value(node.test)
        if value is not False:
            self.visit_all(node.body)
        if value is not True:
            self.visit_all(node.orelse)

    def visit_all(self, nodes):
        for node in nodes:
            self.visit(node)


def last_name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def catches_import_errors(error):
    if error is None:
        return True
    if isinstance(error, ast.Tuple):
        return any(catches_import_errors(element) for element in error.elts)
    return last_name(error) in IMPORT_ERRORS


def known_value(test):
    """Evaluates a condition on the platform, the Python version or TYPE_CHECKING; None for all others."""
    allowed = (
        ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.cmpop,
        ast.Attribute, ast.Subscript, ast.Slice, ast.Name, ast.Tuple, ast.Constant, ast.expr_context, ast.Call,
    )
    values = {"sys": sys, "os": os, "TYPE_CHECKING": False, "typing": type("typing", (), {"TYPE_CHECKING": False})}
    for node in ast.walk(test):
        is_known_name = not isinstance(node, ast.Name) or node.id in values
        is_known_call = not isinstance(node, ast.Call) or last_name(node.func) == "startswith"
        is_known_field = not isinstance(node, ast.Attribute) or node.attr in (
            "platform", "version_info", "name", "TYPE_CHECKING", "major", "minor", "startswith",
        )
        if not (isinstance(node, allowed) and is_known_name and is_known_call and is_known_field):
            return None
    try:
        expression = ast.Expression(body=test)
        return bool(eval(compile(expression, "condition", "eval"), {"__builtins__": {}}, values))
    except Exception:
        return None


def is_beside_script(module, path):
    """Is the module found only because Python puts a script's own directory on the module path?"""
    directory, name = os.path.dirname(path), module.split(".")[0]
    if not name or os.path.exists(os.path.join(directory, "__init__.py")):
        return False
    beside = os.path.join(directory, name)
    if not (os.path.exists(beside + ".py") or os.path.isdir(beside)):
        return False
    try:
        return importlib.util.find_spec(name) is None
    except ValueError:
        return False


def django_settings(top):
    """Returns the settings module that the `manage.py` of a Django project names, and where; None for any other."""
    try:
        with open(os.path.join(top, "manage.py"), "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) == "setdefault":
            values = [getattr(argument, "value", None) for argument in node.args]
            if len(values) == 2 and values[0] == "DJANGO_SETTINGS_MODULE" and isinstance(values[1], str):
                return values[1], "manage.py:%d" % node.lineno
    return None


class StubbedEnvironment(type(os.environ)):
    """An environment in which every variable that is demanded has a value: the secrets are on the servers alone.

    One that is asked for with a default, or whether it is there, is still absent.
    """

    def __getitem__(self, key):
        try:
            return super().__getitem__(key)
        except KeyError:
            return STUB

    def __contains__(self, key):
        return self.encodekey(key) in self._data

    def get(self, key, default=None):
        return self[key] if key in self else default

    def pop(self, key, *default):
        return super().pop(key) if key in self or not default else default[0]


def set_up_django(settings):
    os.environ.__class__ = StubbedEnvironment
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    import django

    django.setup()


def collect(top):
    """Returns the imports of all sources: {(module, name): [place, ...]}, and the sources that do not parse."""
    needed, unparsed = {}, []
    for path in sources(top):
        shown = os.path.relpath(path, top)
        try:
            with open(path, "rb") as file:
                tree = ast.parse(file.read(), shown)
        except (SyntaxError, ValueError, RecursionError) as error:
            unparsed.append({"file": shown, "message": str(error)})
            continue
        imports = Imports(package_of(path, top))
        imports.visit(tree)
        for module, name, line in imports.found:
            if module != "__future__" and not is_beside_script(module, path):
                places = needed.setdefault((module, name or ""), [])
                places.append("%s:%d" % (shown, line))
    return needed, unparsed


def is_skipped(module, name):
    full = module + "." + name if name else module
    return any(full == skipped or full.startswith(skipped + ".") for skipped in SKIPPED_MODULES)


def do_import(module, name):
    __import__(module)
    imported = sys.modules[module]
    if name and not hasattr(imported, name):
        try:
            __import__(module + "." + name)
        except ModuleNotFoundError as error:
            if error.name != module + "." + name:
                raise
            raise ImportError("cannot import name %r from %r" % (name, module), name=module) from None


def describe(error, top):
    """Says what an import raised, and which line of the application was importing something then."""
    message = str(error) or type(error).__name__
    library = MISSING_LIBRARY.match(message)
    place = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(top + os.sep):
            place = "%s:%d" % (os.path.relpath(frame.filename, top), frame.lineno)
    return {
        "error": type(error).__name__,
        "message": message,
        "missing_library": library.group(1) if library else None,
        "missing_module": error.name if isinstance(error, ModuleNotFoundError) else None,
        "place": place,
    }


def run_child(jobs, writer, top, settings, has_failed):
    """Imports one job after the other, and says on the pipe which one starts and how it ended.

    The first import of all is that of the settings, if there are any; a later child sets up the project before its own.
    """
    pending = None if has_failed else settings
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    sys.argv = [""]
    for index, (module, name) in jobs:
        say(writer, {"start": index})
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS_PER_IMPORT)
        failure = None
        try:
            if pending:
                pending = set_up_django(pending)
            do_import(module, name)
        except BaseException as error:
            has_failed = has_failed or module == settings
            if not has_failed or module == settings or type(error).__name__ not in UNCONFIGURED:
                failure = describe(error, top)
            pending = None
        signal.alarm(0)
        say(writer, {"end": index, "failure": failure})
    say(writer, {"done": True})


def say(writer, message):
    os.write(writer, json.dumps(message).encode() + b"\n")


def death(status):
    """Says how a child ended that did not finish: {error, message}."""
    number = status & 0x7F
    if number == signal.SIGALRM:
        error, message = "Timeout", "the import did not end within %d seconds" % SECONDS_PER_IMPORT
    elif number:
        error, message = "Crash", "the interpreter was killed by %s" % signal.Signals(number).name
    else:
        error, message = "Exit", "the import ended the interpreter with exit status %d" % (status >> 8)
    return {"error": error, "message": message, "missing_library": None, "missing_module": None, "place": None}


def import_all(keys, top, settings):
    """Imports everything; returns {index: failure}. A child that dies is followed by another for the rest."""
    failures = {}
    jobs = list(enumerate(keys))
    while jobs:
        reader, writer = os.pipe()
        parent = os.getpid()
        child = os.fork()
        if not child:
            os.close(reader)
            try:
                run_child(jobs, writer, top, settings, settings is not None and 0 in failures)
            finally:
                # A module may have forked: only this process speaks for the child.
                os._exit(0)
        os.close(writer)
        started, ended = read_progress(reader, failures)
        status = os.waitpid(child, 0)[1]
        assert os.getpid() == parent
        if started is None and ended is None:
            raise SystemExit("the import check cannot start a process")
        if started is not None:
            failures[started] = death(status)
        last = ended if started is None else started
        jobs = [job for job in jobs if job[0] > last]
    return failures


def read_progress(reader, failures):
    started = ended = None
    with os.fdopen(reader, "rb") as lines:
        for line in lines:
            message = json.loads(line.decode())
            if "done" in message:
                # What the imports have started may hold the pipe open.
                break
            if "start" in message:
                started = message["start"]
                continue
            started, ended = None, message["end"]
            if message["failure"]:
                failures[ended] = message["failure"]
    return started, ended


def distributions_of(top_levels):
    """Returns the installed distributions that have these top-level names: {top-level name: distribution}."""
    try:
        from importlib import metadata
    except ImportError:
        return {}
    found = {}
    for distribution in metadata.distributions():
        for file in distribution.files or []:
            name = file.parts[0].split(".")[0] if file.parts else ""
            if name in top_levels:
                found.setdefault(name, set()).add(distribution.metadata["Name"])
    return {name: sorted(distributions)[0] for name, distributions in found.items()}


def is_consequence(index, needed, keys, failures):
    """Did the import fail at a line of the application whose own import is reported?"""
    seen = {index}
    while True:
        place = failures[index]["place"]
        causes = [other for other in sorted(failures) if place in needed[keys[other]]]
        if not causes:
            return len(seen) > 1
        index = causes[0]
        if index in seen:
            # A circle has no first cause: all of it is reported.
            return False
        seen.add(index)


def report(needed, keys, failures):
    """Joins failures to those who need the module, and leaves out those that only pass on another one."""
    found = []
    for index, failure in sorted(failures.items()):
        module = keys[index][0]
        if is_consequence(index, needed, keys, failures):
            continue
        same = [entry for entry in found if entry["module"] == module and entry["message"] == failure["message"]]
        if same:
            same[0]["needed_by"] = sorted(set(same[0]["needed_by"]) | set(needed[keys[index]]))
            continue
        found.append({
            "module": module,
            "needed_by": sorted(needed[keys[index]]),
            "error": failure["error"],
            "message": failure["message"],
            "missing_library": failure["missing_library"],
            "missing_module": failure["missing_module"],
        })
    top_levels = {entry["module"].split(".")[0] for entry in found if entry["missing_module"] != entry["module"]}
    distributions = distributions_of(top_levels) if top_levels else {}
    for entry in found:
        entry["distribution"] = distributions.get(entry["module"].split(".")[0])
    return found


def main(top, output):
    top = os.path.abspath(top)
    needed, unparsed = collect(top)
    needed = {key: places for key, places in needed.items() if not is_skipped(*key)}
    settings, place = django_settings(top) or (None, None)
    if settings:
        needed.setdefault((settings, ""), []).append(place)
    keys = sorted(needed, key=lambda key: (key != (settings, ""), key))
    failures = import_all(keys, top, settings)
    document = {"imports": len(keys), "failures": report(needed, keys, failures), "unparsed": unparsed}
    with open(output, "w") as file:
        json.dump(document, file, indent=1, sort_keys=True)


main(*sys.argv[1:3])
