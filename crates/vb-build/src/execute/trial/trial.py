"""Takes a package through a part of its life, and asks what its recipe wants to know. Runs with Python 2.7 and later.

What it is told is the file that its argument names; what it found is the file that that one names.
"""
from __future__ import print_function

import glob
import io
import json
import os
import re
import socket
import subprocess
import sys
import time

# How long a service may take to come up or to end, a port to answer, and a command to run, in seconds.
PATIENCE = 60
# How long an answer may take.
ANSWER = 10
# A service that has run for so long is up.
STEADY = 2
# How much of an answer is shown, in characters, and of a log, in lines.
SHOWN = 500
LINES = 20
RUNIT_PREINST = "/var/lib/dpkg/info/runit.preinst"


class Failed(Exception):
    """Something is not as it has to be."""

    def __init__(self, thing, asked, expected, found, output=None):
        Exception.__init__(self, found)
        self.thing, self.asked, self.expected, self.found, self.output = thing, asked, expected, found, output


def text_of(data):
    return data.decode("utf-8", "replace")


def shown(text):
    return text if len(text) <= SHOWN else text[:SHOWN] + " ..."


def last_lines(text):
    return text.splitlines()[-LINES:]


def find(*names):
    for name in names:
        for directory in os.environ["PATH"].split(":"):
            path = os.path.join(directory, name)
            if os.path.exists(path):
                return path
    return None


def run(argv, directory="/", seconds=PATIENCE * 5):
    """Runs a command, and returns its exit code and what it printed; no code when it took too long."""
    print("$ " + " ".join(argv))
    sys.stdout.flush()
    # Not in /tmp, which systemd empties when it boots.
    output = "/run/vb-output"
    with open(output, "wb") as file, open(os.devnull) as nothing:
        try:
            process = subprocess.Popen(argv, stdin=nothing, stdout=file, stderr=subprocess.STDOUT, cwd=directory)
        except OSError as error:
            return 127, "%s: %s" % (argv[0], error.strerror)
        limit = time.time() + seconds
        while process.poll() is None and time.time() < limit:
            time.sleep(0.02)
        if process.poll() is None:
            process.kill()
            process.wait()
            code = None
        else:
            code = process.returncode
    with open(output, "rb") as file:
        printed = text_of(file.read())
    for line in printed.splitlines():
        print("  " + line.encode("ascii", "replace").decode("ascii"))
    return code, printed


def ending(code):
    return "no end in its time" if code is None else "exit code %d" % code


def read(path):
    try:
        with open(path, "rb") as file:
            return text_of(file.read())
    except (IOError, OSError):
        return ""


def wait_until(question, seconds=PATIENCE):
    limit = time.time() + seconds
    while not question():
        if time.time() > limit:
            return False
        time.sleep(0.1)
    return True


class Runit(object):
    name = "runit"
    failed = "it ended, was started again, and ended"

    def __init__(self, prefix):
        self.prefix, self.ended = prefix, set()

    def is_there(self):
        return find("runsvdir") and find("sv")

    def runs(self):
        return any(read(path) == "runsvdir\n" for path in glob.glob("/proc/[0-9]*/comm"))

    def start(self):
        directory = os.path.realpath("/etc/service")
        if not os.path.isdir(directory):
            os.makedirs(directory)
        subprocess.Popen(["runsvdir", "-P", "/etc/service"])

    def status(self, service):
        return run(["sv", "status", "%s/etc/services/%s" % (self.prefix, service)])[1].strip()

    def is_up(self, service):
        match = re.match(r"run: [^;]*\(pid [0-9]+\) ([0-9]+)s", self.status(service))
        return match is not None and int(match.group(1)) >= STEADY

    def has_failed(self, service):
        """It has ended twice: runit starts it again, in vain."""
        match = re.match(r"finish: [^;]*\(pid ([0-9]+)\)", self.status(service))
        if match is not None:
            self.ended.add((service, match.group(1)))
        return len([pid for ended, pid in self.ended if ended == service]) >= 2

    def is_down(self, service):
        return not any(read(path).rstrip("\0").split("\0") == ["runsv", service] for path in glob.glob("/proc/[0-9]*/cmdline"))

    def log(self, service):
        return "/var/log/%s/current" % service


class Supervisor(object):
    name = "supervisor"
    failed = "it ended again and again"

    def __init__(self, prefix):
        pass

    def is_there(self):
        return find("supervisord")

    def runs(self):
        return run(["supervisorctl", "pid"])[0] == 0

    def start(self):
        files = ["/etc/supervisor/supervisord.conf", "/etc/supervisord.conf"]
        run(["supervisord", "-c", [path for path in files if os.path.exists(path)][0]])
        wait_until(self.runs)

    def status(self, service):
        return run(["supervisorctl", "status", service])[1].strip()

    def is_up(self, service):
        return " RUNNING " in self.status(service)

    def has_failed(self, service):
        return " FATAL " in self.status(service)

    def is_down(self, service):
        return "no such process" in self.status(service)

    def log(self, service):
        return "/var/log/supervisor/%s.log" % service


class Systemd(object):
    """Another program does systemctl's work: see there."""

    name = "systemd"
    failed = "it ended"

    def __init__(self, prefix):
        pass

    def is_there(self):
        return True

    def start(self):
        os.makedirs("/run/systemd/system")
        with open(plan["systemctl"]) as source, open("/usr/bin/systemctl.vb", "w") as target:
            target.write(source.read())
        os.chmod("/usr/bin/systemctl.vb", 0o755)
        os.rename("/usr/bin/systemctl.vb", "/usr/bin/systemctl")

    def status(self, service):
        is_active = run(["systemctl", "is-active", service])[0] == 0
        return "it runs" if is_active else "it does not run"

    def is_up(self, service):
        try:
            age = time.time() - os.stat("/run/vb-test/%s.service.pid" % service).st_mtime
        except OSError:
            return False
        return age >= STEADY and self.status(service) == "it runs"

    def has_failed(self, service):
        return os.path.exists("/run/vb-test/%s.service.pid" % service) and self.status(service) != "it runs"

    def is_down(self, service):
        return self.status(service) != "it runs"

    def log(self, service):
        return "/run/vb-test/%s.service.log" % service


class BootedSystemd(object):
    """systemd itself, which is the first process."""

    name = "systemd"
    failed = "it ended, was started again, and ended"

    def __init__(self, prefix):
        pass

    def is_there(self):
        return True

    def runs(self):
        return True

    def property(self, service, name):
        shown = run(["systemctl", "show", "--property=" + name, service + ".service"])[1]
        return shown.strip().partition("=")[2]

    def status(self, service):
        return self.property(service, "ActiveState") + ", " + self.property(service, "SubState")

    def is_up(self, service):
        if self.status(service) != "active, running":
            return self.status(service) == "active, exited"
        since = float(self.property(service, "ActiveEnterTimestampMonotonic")) / 1000000
        return float(read("/proc/uptime").split()[0]) - since >= STEADY

    def has_failed(self, service):
        restarts = self.property(service, "NRestarts")
        return self.property(service, "ActiveState") == "failed" or int(restarts or 0) >= 2

    def is_down(self, service):
        return self.property(service, "ActiveState") in ("inactive", "failed")

    def log(self, service):
        path = "/run/%s.log" % service
        with open(path, "w") as file:
            file.write(run(["journalctl", "--no-pager", "--output=cat", "--unit=" + service])[1])
        return path


def boot():
    """Waits until systemd has started what it starts: some of that empties /tmp."""
    is_there = wait_until(lambda: os.path.exists("/run/systemd/private"))
    state = run(["systemctl", "is-system-running", "--wait"])[1].strip() if is_there else "nothing that answers"
    if state not in ("running", "degraded"):
        raise Failed({"package": "installed"}, "does systemd boot?", "a running system", state)


MANAGERS = {"runit": Runit, "supervisor": Supervisor, "systemd": Systemd}


class Machine(object):
    """The root, the managers of the services on it, and the package."""

    def __init__(self):
        self.step = "a machine"
        self.managers = {}
        self.running = {}

    def begin(self, step):
        self.step = step
        for manager in self.managers.values():
            manager.ended = set()
        print("== " + step)
        sys.stdout.flush()

    def prepare(self):
        self.begin("a machine")
        if plan["machine"] == "systemd":
            boot()
            MANAGERS["systemd"] = BootedSystemd
            # The distribution's units may have started others.
            managers = [manager(plan["prefix"]) for _, manager in sorted(MANAGERS.items())]
            self.managers = {manager.name: manager for manager in managers if manager.is_there() and manager.runs()}
        if find("runsvdir") and os.path.exists(RUNIT_PREINST):
            # Packages of a root are unpacked without it, and runit's trigger misses what it makes.
            environment = ["DPKG_MAINTSCRIPT_PACKAGE=runit", "DPKG_MAINTSCRIPT_NAME=preinst"]
            run(["env"] + environment + [RUNIT_PREINST, "install"])
        for path, text in sorted(plan["files"].items()):
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            with io.open(path, "w", encoding="utf-8") as file:
                file.write(text)
        # It would keep every service from being started.
        if os.path.lexists("/usr/sbin/policy-rc.d"):
            os.unlink("/usr/sbin/policy-rc.d")
        if plan["format"] == "rpm":
            if not find("rpm"):
                raise Failed({"package": "installed"}, "rpm", "an rpm in the root", "none: a package brings it")
            run(["rpm", "--initdb"])
        if plan["needed"]:
            self.begin("install what it needs")
            self.put(plan["needed"])
        for service, managers in plan["services"]:
            if not any(name in self.managers for name in managers):
                self.start(service, managers)
        for service, managers in plan["services"]:
            # As the package does: the first that runs.
            self.running[service] = [self.managers[name] for name in managers if name in self.managers][0]

    def start(self, service, managers):
        """Starts the first of the managers that is there."""
        for name in managers:
            manager = MANAGERS[name](plan["prefix"])
            if manager.is_there():
                manager.start()
                self.managers[name] = manager
                return
        raise Failed(
            {"service": service}, "what runs it", "one of " + ", ".join(managers), "none of them is in the root")

    def package_file(self, place):
        return glob.glob("%s/*.%s" % (place, plan["format"]))[0]

    def install(self, places):
        self.put(places)
        self.check_database()

    def put(self, places):
        if plan["format"] == "deb":
            argv = ["dpkg", "--force-confold", "--force-unsafe-io", "--install"]
        else:
            argv = ["rpm", "--upgrade", "--oldpackage", "--nodeps"]
        self.package_manager("installed", argv + [self.package_file(place) for place in places])

    def remove(self, what):
        argv = ["dpkg", "--" + what] if plan["format"] == "deb" else ["rpm", "--erase"]
        self.package_manager(what + "d", argv + plan["names"])

    def package_manager(self, what, argv):
        code, printed = run(argv)
        if code != 0:
            raise Failed({"package": what}, " ".join(argv), "exit code 0", ending(code), printed)

    def check_database(self):
        """The package manager has nothing to complain about."""
        deb = plan["format"] == "deb"
        if deb:
            audit = run(["dpkg", "--audit"])[1]
            if audit.strip():
                raise Failed({"package": "installed"}, "dpkg --audit", "nothing", shown(audit))
        verify = ["dpkg", "--verify"] if deb else ["rpm", "--verify", "--nodeps", "--nouser", "--nogroup"]
        changed = [line for line in run(verify + plan["names"])[1].splitlines() if " c /" not in line]
        if changed:
            raise Failed(
                {"package": "installed"}, " ".join(verify), "the files as they were packed", shown("\n".join(changed)))

    def files(self):
        listing = ["dpkg", "--listfiles"] if plan["format"] == "deb" else ["rpm", "--query", "--list"]
        paths = run(listing + plan["names"])[1].splitlines()
        kept = set(plan["files"])
        return [path for path in paths if is_file(path) and path not in kept and not is_of_root(path)]

    def check_gone(self, paths, what):
        # Configuration stays until a purge.
        left = [path for path in paths if is_file(path) and (what == "purged" or not path.startswith("/etc/"))]
        if left:
            raise Failed({"package": what}, "its files", "none of them left", shown("\n".join(left)))

    def check_up(self):
        for service, manager in sorted(self.running.items()):
            wait_until(lambda: manager.is_up(service) or manager.has_failed(service))
            self.check_alive()
            if not manager.is_up(service):
                raise not_up(service, manager, manager.status(service))

    def check_alive(self):
        """What is slow to start can be steady for a while before it ends."""
        for service, manager in sorted(self.running.items()):
            if manager.has_failed(service):
                raise not_up(service, manager, manager.failed)

    def check_down(self):
        for service, manager in sorted(self.running.items()):
            if not wait_until(lambda: manager.is_down(service)):
                raise Failed(
                    {"service": service}, "is it down?", "ended, and unknown to " + manager.name, manager.status(service))

    def check_all(self):
        self.check_up()
        for index, check in enumerate(plan["checks"]):
            if "tcp" in check:
                self.check_tcp(index, check["tcp"])
            else:
                self.check_command(index, check["command"])

    def check_tcp(self, index, check):
        asked = "port %d" % check["port"] + (", sent %s" % json.dumps(check["send"]) if check["send"] else "")
        print("? " + asked)
        limit = time.time() + PATIENCE
        while True:
            try:
                connection = socket.create_connection(("localhost", check["port"]), ANSWER)
                break
            except (IOError, OSError) as error:
                self.check_alive()
                if time.time() > limit:
                    raise Failed({"check": index}, asked, said(check["expect"]), "no connection: %s" % error)
                time.sleep(0.1)
        answer = self.answer(connection, check)
        if check["expect"] not in answer:
            raise Failed({"check": index}, asked, said(check["expect"]), said(shown(answer)))

    def answer(self, connection, check):
        answer = b""
        try:
            connection.settimeout(ANSWER)
            connection.sendall(check["send"].encode("utf-8"))
            while check["expect"] not in text_of(answer):
                data = connection.recv(65536)
                if not data:
                    break
                answer += data
        except (IOError, OSError) as error:
            print("  %s" % error)
        finally:
            connection.close()
        return text_of(answer)

    def check_command(self, index, check):
        code, printed = run(check["argv"], plan["prefix"], PATIENCE)
        asked = " ".join(check["argv"])
        if code != 0:
            raise Failed({"check": index}, asked, "exit code 0", ending(code), printed)
        if check["expect"] not in printed:
            raise Failed({"check": index}, asked, said(check["expect"]), said(shown(printed)))

    def logs(self):
        logs = [(service, last_lines(read(manager.log(service)))) for service, manager in sorted(self.running.items())]
        return [(service, lines) for service, lines in logs if lines]


def not_up(service, manager, found):
    return Failed({"service": service}, "is it up?", "up, and steady, under " + manager.name, found)


def is_file(path):
    return os.path.islink(path) or os.path.isfile(path)


def is_of_root(path):
    """Is it a link of the root's to a directory, as /lib is, that the package has something below?"""
    return os.path.islink(path) and os.path.isdir(path) and not path.startswith(plan["prefix"] + "/")


def said(text):
    return json.dumps(text, ensure_ascii=False) if text else "nothing"


def install(machine):
    machine.begin("install")
    machine.install(plan["packages"])
    machine.check_all()


def upgrade(machine):
    machine.begin("install the version before")
    machine.install(plan["older"])
    machine.check_up()
    machine.begin("upgrade")
    machine.install(plan["packages"])
    machine.check_all()


def rollback(machine):
    install(machine)
    machine.begin("rollback")
    machine.install(plan["older"])
    machine.check_up()


def remove(machine):
    install(machine)
    files = machine.files()
    machine.begin("remove")
    machine.remove("remove")
    machine.check_down()
    machine.check_gone(files, "removed")
    machine.begin("install again")
    machine.install(plan["packages"])
    machine.check_all()
    machine.begin("purge" if plan["format"] == "deb" else "erase")
    machine.remove("purge")
    machine.check_down()
    machine.check_gone(files, "purged" if plan["format"] == "deb" else "removed")


def main():
    machine = Machine()
    failure = None
    try:
        machine.prepare()
        {"install": install, "upgrade": upgrade, "rollback": rollback, "remove": remove}[plan["scenario"]](machine)
    except Failed as error:
        logs = machine.logs()
        if error.output:
            logs = [("the command", last_lines(error.output))]
        failure = {
            "step": machine.step, "thing": error.thing, "asked": error.asked, "expected": error.expected,
            "found": error.found, "logs": logs,
        }
        print("FAILED: %s" % json.dumps(failure))
    with open(plan["report"], "w") as file:
        report = {"scenario": plan["scenario"], "failure": failure}
        if plan["machine"] != "sandbox":
            report["machine"] = plan["machine"]
        json.dump(report, file, sort_keys=True)


with open(sys.argv[1]) as source:
    plan = json.load(source)
main()
