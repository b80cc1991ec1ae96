"""Answers each connection with its configuration, its user and its capabilities, and keeps a count in its directory."""
import os
import pwd
import resource
import socket
import sys


def status(field):
    with open("/proc/self/status") as file:
        return [line.split(":")[1].strip() for line in file if line.startswith(field + ":")][0]


def answer():
    with open(sys.argv[1]) as file:
        text = file.read().strip()
    with open("/var/lib/clock/count", "a") as file:
        file.write(".")
    user = pwd.getpwuid(os.getuid()).pw_name
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return "%s as %s, capabilities %s, %d files\n" % (text, user, status("CapEff"), files)


with socket.create_server(("127.0.0.1", 43)) as server:
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(answer().encode())
