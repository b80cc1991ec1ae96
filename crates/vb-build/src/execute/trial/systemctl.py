"""Does what maintainer scripts ask of systemctl, and runs what a unit says, in a root where systemd cannot be process 1.

Users, limits and capabilities of a unit have no effect: a sandbox has one user. A service that ends is not started again.
"""
import os
import shlex
import signal
import subprocess
import sys
import time

UNITS = ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"]
STATE = "/run/vb-test"


def setting(unit, name):
    values = []
    for directory in UNITS:
        path = os.path.join(directory, unit)
        if os.path.isfile(path):
            with open(path) as file:
                for line in file:
                    if line.startswith(name + "="):
                        values.append(line.split("=", 1)[1].strip())
            return values
    return values


def words(text):
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(text)]


def pid_of(unit):
    try:
        with open(os.path.join(STATE, unit + ".pid")) as file:
            pid = int(file.read())
        with open("/proc/%d/stat" % pid) as file:
            state = file.read().rsplit(")", 1)[1].split()[0]
    except (IOError, OSError, ValueError):
        return None
    return None if state == "Z" else pid


def start(unit):
    if pid_of(unit) is not None:
        return 0
    command = setting(unit, "ExecStart")
    if not command:
        sys.stderr.write("Failed to start %s: Unit not found.\n" % unit)
        return 5
    if not os.path.isdir(STATE):
        os.makedirs(STATE)
    environment = dict(os.environ)
    for value in setting(unit, "Environment"):
        for word in words(value):
            name, text = word.split("=", 1)
            environment[name] = text
    directory = (setting(unit, "WorkingDirectory") or ["/"])[-1]
    with open(os.path.join(STATE, unit + ".log"), "ab") as log, open(os.devnull) as nothing:
        try:
            process = subprocess.Popen(
                words(command[-1]), stdin=nothing, stdout=log, stderr=log, cwd=directory, env=environment,
                preexec_fn=os.setsid, close_fds=True,
            )
        except OSError as error:
            log.write(("%s\n" % error).encode("utf-8"))
            return 1
    with open(os.path.join(STATE, unit + ".pid"), "w") as file:
        file.write(str(process.pid))
    return 0


def stop(unit):
    pid = pid_of(unit)
    limit = time.time() + float((setting(unit, "TimeoutStopSec") or ["10"])[-1])
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    while pid_of(unit) is not None:
        if time.time() > limit:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return 0


def reload(unit):
    command = setting(unit, "ExecReload")
    pid = pid_of(unit)
    if not command or pid is None:
        return 1
    directory = (setting(unit, "WorkingDirectory") or ["/"])[-1]
    return subprocess.call([word.replace("$MAINPID", str(pid)) for word in words(command[-1])], cwd=directory)


def link(unit):
    return os.path.join("/etc/systemd/system/multi-user.target.wants", unit)


def enable(unit):
    if not setting(unit, "ExecStart"):
        return 1
    if not os.path.isdir(os.path.dirname(link(unit))):
        os.makedirs(os.path.dirname(link(unit)))
    if not os.path.islink(link(unit)):
        directory = [path for path in UNITS if os.path.isfile(os.path.join(path, unit))][0]
        os.symlink(os.path.join(directory, unit), link(unit))
    return 0


def disable(unit):
    if os.path.islink(link(unit)):
        os.unlink(link(unit))
    return 0


def restart(unit):
    return stop(unit) or start(unit)


VERBS = {
    "start": start,
    "stop": stop,
    "restart": restart,
    "try-restart": lambda unit: restart(unit) if pid_of(unit) is not None else 0,
    "reload": reload,
    "enable": enable,
    "preset": enable,
    "disable": disable,
    "is-active": lambda unit: 3 if pid_of(unit) is None else 0,
    "is-enabled": lambda unit: 0 if os.path.islink(link(unit)) else 1,
}

arguments = [word for word in sys.argv[1:] if not word.startswith("-")]
if arguments and arguments[0] in VERBS:
    units = [name if "." in name else name + ".service" for name in arguments[1:]]
    sys.exit(max([VERBS[arguments[0]](unit) for unit in units] or [0]))
# What is only about units as files has nothing to do here.
sys.exit(0 if arguments and arguments[0] in ("daemon-reload", "daemon-reexec", "reset-failed", "show") else 1)
