"""Imports an application's modules, what they import, and what nobody but the application asks for; reports each import
that fails.

Run as `python -c <this> <application directory> <report file> [<options>]` with the environment's interpreter. Writes one JSON
document to the report file and succeeds, whatever the imports do: those of one package run in a process of its own, forked
from one that has imported none of them, with muted output and a limit of time. So a module that exits, hangs, crashes
the interpreter or changes it for others is reported by name like any other, and harms no other package's imports.

A Django project is set up first, as its `manage.py` does: models can be imported after the settings only.
"""
import sys

# With -c the working directory comes first, which is no part of the environment's module path.
sys.path = [path for path in sys.path if path]

import ast
import importlib.util
import json
import os
import platform
import re
import select
import signal
import time
import traceback

OPTIONS = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
SECONDS_PER_PACKAGE = OPTIONS.get("seconds", 60)
SKIPPED_MODULES = OPTIONS.get("skip", [])
SKIPPED_DIRECTORIES = {"__pycache__", "node_modules", "test", "tests"}
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
# What needs a distribution that no other one needs: the application alone.
DECLARED = "requirements"
APPLICATION = "the application"
# Stands for the index of an import that is not tried.
SKIPPED = -1
# How an import fails that leaves no interpreter.
ENDS = {"Crash", "Exit", "Timeout"}
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
    """Evaluates a condition on the platform, Python's version or implementation or TYPE_CHECKING; None for all others."""
    allowed = (
        ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.cmpop,
        ast.Attribute, ast.Subscript, ast.Slice, ast.Name, ast.Tuple, ast.Constant, ast.expr_context, ast.Call,
    )
    values = {
        "sys": sys, "os": os, "platform": platform, "TYPE_CHECKING": False,
        "typing": type("typing", (), {"TYPE_CHECKING": False}),
    }
    for node in ast.walk(test):
        is_known_name = not isinstance(node, ast.Name) or node.id in values
        is_known_call = not isinstance(node, ast.Call) or last_name(node.func) in ("startswith", "python_implementation")
        is_known_field = not isinstance(node, ast.Attribute) or node.attr in (
            "platform", "version_info", "name", "TYPE_CHECKING", "major", "minor", "startswith",
            "implementation", "python_implementation",
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
    """Says what an import raised, and which lines of the application ran then, the last one last."""
    message = str(error) or type(error).__name__
    library = MISSING_LIBRARY.match(message)
    places = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(top + os.sep):
            places.append("%s:%d" % (os.path.relpath(frame.filename, top), frame.lineno))
    return {
        "error": type(error).__name__,
        "message": message,
        "missing_library": library.group(1) if library else None,
        "missing_module": error.name if isinstance(error, ModuleNotFoundError) else None,
        "places": places,
    }


def module_of(path, top):
    """Returns the name by which a source of the application can be imported; None for a script, and where it is on no module
    path."""
    entries = [os.path.abspath(entry) for entry in sys.path if path.startswith(os.path.abspath(entry) + os.sep)]
    if not entries or os.access(path, os.X_OK):
        return None
    parts = os.path.relpath(path, max(entries, key=len))[: -len(".py")].split(os.sep)
    if parts[-1] == "__init__":
        parts.pop()
    if not parts or parts[-1] == "__main__" or not all(part.isidentifier() for part in parts):
        return None
    # A directory that is no package is one of scripts or templates.
    directory = os.path.dirname(path)
    for _ in parts[:-1]:
        if not os.path.exists(os.path.join(directory, "__init__.py")):
            return None
        directory = os.path.dirname(directory)
    with open(path, "rb") as file:
        is_script = file.read(2) == b"#!"
    return None if is_script else ".".join(parts)


def own_modules(top):
    """Returns the modules of the application that can be imported: {module: source}."""
    found = {}
    for path in sources(top):
        module = module_of(path, top)
        if module:
            found.setdefault(module, os.path.relpath(path, top))
    return found


def declared_modules(top):
    """Returns the top-level modules of the environment's distributions that no other one requires."""
    try:
        from importlib import metadata
    except ImportError:
        return []
    prefix = os.path.dirname(top) + os.sep
    installed, required = {}, set()
    for distribution in metadata.distributions():
        if str(distribution.locate_file("")).startswith(prefix) and distribution.metadata["Name"]:
            installed.setdefault(normalized(distribution.metadata["Name"]), distribution)
    for name, distribution in installed.items():
        names = (re.match(r"[\w.-]+", requirement) for requirement in distribution.requires or [])
        required.update({normalized(match.group()) for match in names if match} - {name})
    modules = set()
    for name in set(installed) - required:
        for file in installed[name].files or []:
            modules.update(top_level_of(file.parts))
    return sorted(modules)


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def top_level_of(parts):
    """Yields the name of the top-level package or module that a file is; nothing for any other file."""
    if len(parts) == 2 and parts[1] == "__init__.py":
        name = parts[0]
    elif len(parts) == 1 and parts[0].endswith((".py", ".so")):
        name = parts[0].split(".")[0]
    else:
        return
    if name.isidentifier() and not name.startswith("_") and name not in SKIPPED_DIRECTORIES:
        yield name


def group_of(module, own):
    """Names the package in whose process a module is imported: one for the standard library, one for the application."""
    parts = module.split(".")
    if any(name.split(".")[0] == parts[0] for name in own):
        return APPLICATION
    try:
        spec = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        return parts[0]
    if spec.origin in ("built-in", "frozen") or os.path.dirname(spec.origin or "") == os.path.dirname(os.__file__):
        return "the standard library"
    # A namespace has packages of several distributions.
    is_namespace = spec.origin is None and spec.submodule_search_locations is not None
    return ".".join(parts[: 2 if is_namespace else 1])


class Process:
    """A child that imports the jobs of one package, one after the other, and says on a pipe which one starts and how it ended.

    It is the leader of a session, so that what the imports have started ends with it.
    """

    def __init__(self, task, top, failures):
        self.task, self.deadline = task, task.deadline
        self.started, self.last, self.is_done, self.buffer = None, None, False, b""
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.reader)
            try:
                os.setsid()
                run_child(task, writer, top, task.settings is not None and 0 in failures)
            finally:
                # A module may have forked: only this process speaks for the child.
                os._exit(0)
        os.close(writer)

    def read(self, failures, repeated):
        """Reads what there is; false at the end."""
        received = os.read(self.reader, 1 << 16)
        lines = (self.buffer + received).split(b"\n")
        self.buffer = lines.pop()
        for line in lines:
            message = json.loads(line.decode())
            if "done" in message:
                # What the imports have started may hold the pipe open.
                self.is_done = True
            elif "start" in message:
                self.started = self.last = message["start"]
            else:
                self.started = None
                if message["is_repeated"]:
                    repeated.add(message["end"])
                elif message["failure"]:
                    failures[message["end"]] = message["failure"]
        return bool(received) and not self.is_done

    def end(self, failures):
        """Ends what is left of it; returns the jobs that were not tried, as far as there is time for them."""
        status, is_late = self.wait()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:
            pass
        os.close(self.reader)
        if self.is_done:
            return []
        if self.last is None and not is_late:
            raise SystemExit("the import check cannot start a process")
        if self.started is not None:
            failures[self.started] = death(status, is_late)
        return [] if is_late else [job for job in self.task.jobs if job[0] > self.last]

    def wait(self):
        """Waits until it has ended, and ends it when its time is over: (status, was that necessary?)."""
        while True:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                return status, False
            if time.monotonic() >= self.deadline:
                os.kill(self.pid, signal.SIGKILL)
                return os.waitpid(self.pid, 0)[1], True
            time.sleep(0.002)


class Task:
    """The imports of one package. With settings, the project is set up before the first; without, one that asks for that
    can be tried again with them."""

    def __init__(self, group, jobs, settings, can_be_repeated, own_imports=None):
        self.own_imports = own_imports or {}
        self.group, self.jobs, self.settings, self.can_be_repeated = group, jobs, settings, can_be_repeated
        self.deadline = None


def run_child(task, writer, top, has_failed):
    """Imports one job after the other; the settings of a project are the first job of the application, and of all."""
    settings = task.settings
    pending = None if has_failed else settings
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    sys.argv = [""]
    if task.group == APPLICATION:
        os.environ.__class__ = StubbedEnvironment
    for index, (module, name) in task.jobs:
        say(writer, {"start": index})
        failure, is_repeated = None, False
        try:
            if pending:
                pending = set_up_django(pending)
            do_import(module, name)
        except BaseException as error:
            has_failed = has_failed or module == settings
            is_unconfigured = module != settings and type(error).__name__ in UNCONFIGURED
            is_repeated = is_unconfigured and task.can_be_repeated
            if not (has_failed and is_unconfigured):
                failure = describe(error, top)
            pending = None
        say(writer, {"end": index, "failure": failure, "is_repeated": is_repeated})
    say(writer, {"done": True})


def say(writer, message):
    os.write(writer, json.dumps(message).encode() + b"\n")


def death(status, is_late):
    """Says how a child ended that did not finish: {error, message}."""
    number = status & 0x7F
    if is_late:
        error, message = "Timeout", "its package's imports did not end within %d seconds" % SECONDS_PER_PACKAGE
    elif number:
        error, message = "Crash", "the interpreter was killed by %s" % signal.Signals(number).name
    else:
        error, message = "Exit", "the import ended the interpreter with exit status %d" % (status >> 8)
    return {"error": error, "message": message, "missing_library": None, "missing_module": None, "places": []}


def import_all(needed, keys, top, settings, own):
    """Imports everything; returns {index: failure}.

    The application's own modules are imported last, and in a project that is set up. Others need that only where they say so.
    """
    groups = {}
    for index, key in enumerate(keys):
        group = APPLICATION if key == (settings, "") else group_of(key[0], own)
        groups.setdefault(group, []).append((index, key))
    failures, repeated = {}, set()
    jobs = groups.pop(APPLICATION, [])
    run_tasks([Task(group, found, None, settings is not None) for group, found in groups.items()], top, failures, repeated)
    own_imports = imports_of_own(needed, keys, own)
    # The settings are the first import of all.
    jobs = jobs[: settings is not None] + in_order(jobs[settings is not None :], own_imports)
    run_tasks([Task(APPLICATION, jobs, settings, False, own_imports)] if jobs else [], top, failures, set())
    left = [(group, [job for job in found if job[0] in repeated]) for group, found in groups.items()]
    run_tasks([Task(group, found, settings, False) for group, found in left if found], top, failures, set())
    return failures


def imports_of_own(needed, keys, own):
    """Returns what each of the application's modules imports: {module: {(index, module), ...}}."""
    modules, found = {source: module for module, source in own.items()}, {}
    indices = {key: index for index, key in enumerate(keys)}
    for key, places in needed.items():
        for place in places:
            module = modules.get(place.split(":")[0])
            if module and module != key[0]:
                found.setdefault(module, set()).add((indices.get(key, SKIPPED), key[0]))
    return found


def in_order(jobs, own_imports):
    """Puts what a module imports before it, so that of two the one that hangs or crashes is tried first."""
    waiting, by_index = [job for job in reversed(jobs)], dict(jobs)
    seen, placed, ordered = set(), set(), []
    while waiting:
        index, key = waiting.pop()
        if index in placed:
            continue
        imported = () if index in seen else own_imports.get(key[0], ())
        first = sorted(other for other, _ in imported if other in by_index and other not in seen)
        seen.add(index)
        if first:
            waiting.append((index, key))
            waiting.extend((other, by_index[other]) for other in reversed(first))
        else:
            placed.add(index)
            ordered.append((index, key))
    return ordered


def without_doomed(jobs, own_imports, failures):
    """Leaves out the application's modules that would import what is skipped, or what has ended an interpreter: the same would
    happen again."""
    dead = {SKIPPED} | {index for index in failures if failures[index]["error"] in ENDS}
    doomed = {module for module, imported in own_imports.items() if any(index in dead for index, _ in imported)}
    while True:
        more = {module for module, imported in own_imports.items() if any(other in doomed for _, other in imported)}
        if more <= doomed:
            return [job for job in jobs if job[1][0] not in doomed]
        doomed |= more


def run_tasks(tasks, top, failures, repeated):
    """Runs one process for each package, as many at once as there are processors. One that dies is followed by another for the
    rest, in the time that is left to the package."""
    parent, waiting, running = os.getpid(), tasks[::-1], []
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            task = waiting.pop()
            task.jobs = without_doomed(task.jobs, task.own_imports, failures)
            if not task.jobs:
                continue
            task.deadline = task.deadline or time.monotonic() + SECONDS_PER_PACKAGE
            running.append(Process(task, top, failures))
        if not running:
            break
        limit = max(0, min(process.deadline for process in running) - time.monotonic())
        readable = select.select([process.reader for process in running], [], [], limit)[0]
        for process in list(running):
            is_open = process.read(failures, repeated) if process.reader in readable else True
            if is_open and time.monotonic() < process.deadline:
                continue
            assert os.getpid() == parent
            running.remove(process)
            process.task.jobs = process.end(failures)
            if process.task.jobs:
                waiting.append(process.task)


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


def causes_of(index, needed, keys, failures):
    """Returns the failed imports that the application was at when this one failed."""
    places = set(failures[index]["places"])
    return [other for other in sorted(failures) if other != index and not places.isdisjoint(needed[keys[other]])]


def is_consequence(index, needed, keys, failures):
    """Did the import fail at a line of the application whose own import is reported?"""
    seen = {index}
    while True:
        causes = causes_of(index, needed, keys, failures)
        if not causes:
            return len(seen) > 1
        index = causes[0]
        if index in seen:
            # A circle has no first cause: all of it is reported.
            return False
        seen.add(index)


def shown(places):
    """Sorts places; that a module is there itself is told where no line imports it."""
    lines = {place for place in places if ":" in place}
    return sorted(lines or set(places))


def report(needed, keys, failures):
    """Joins failures to those who need the module, and leaves out those that only pass on another one."""
    found = []
    for index, failure in sorted(failures.items()):
        module = keys[index][0]
        if is_consequence(index, needed, keys, failures):
            continue
        same = [entry for entry in found if entry["module"] == module and entry["message"] == failure["message"]]
        if same:
            same[0]["needed_by"] = shown(same[0]["needed_by"] + needed[keys[index]])
            continue
        found.append({
            "module": module,
            "needed_by": shown(needed[keys[index]]),
            "error": failure["error"],
            "message": failure["message"],
            "missing_library": failure["missing_library"],
            "missing_module": failure["missing_module"],
            "raised_at": (failure["places"] or [None])[-1],
        })
    top_levels = {entry["module"].split(".")[0] for entry in found if entry["missing_module"] != entry["module"]}
    distributions = distributions_of(top_levels) if top_levels else {}
    for entry in found:
        entry["distribution"] = distributions.get(entry["module"].split(".")[0])
    return found


def main(top, output):
    top = os.path.abspath(top)
    needed, unparsed = collect(top)
    own = own_modules(top)
    for module, source in own.items():
        needed.setdefault((module, ""), [source])
    for module in declared_modules(top):
        needed.setdefault((module, ""), [DECLARED])
    settings, place = django_settings(top) or (None, None)
    if settings:
        needed.setdefault((settings, ""), []).append(place)
    tried = [key for key in needed if key == (settings, "") or not is_skipped(*key)]
    keys = sorted(tried, key=lambda key: (key != (settings, ""), key))
    failures = import_all(needed, keys, top, settings, own)
    document = {"imports": len(keys), "failures": report(needed, keys, failures), "unparsed": unparsed}
    with open(output, "w") as file:
        json.dump(document, file, indent=1, sort_keys=True)


main(*sys.argv[1:3])
