"""Holds an SSH session with itself over a pair of sockets, and says how it was."""
import socket
import sys
import threading

import jinja2
import markupsafe._speedups
import paramiko

LINE = "{{ version }}: a session with {{ key }}"


class Server(paramiko.ServerInterface):
    def get_allowed_auths(self, username):
        return "password"

    def check_auth_password(self, username, password):
        return paramiko.AUTH_SUCCESSFUL if password == "secret" else paramiko.AUTH_FAILED


def main():
    ours, theirs = socket.socketpair()
    key = paramiko.ECDSAKey.generate()
    server, client = paramiko.Transport(ours), paramiko.Transport(theirs)
    try:
        server.add_server_key(key)
        # With an event it does not wait for the client.
        server.start_server(threading.Event(), Server())
        client.connect(hostkey=key, username="somebody", password="secret")
        version = client.remote_version.rsplit("-", 1)[0]
        print(jinja2.Template(LINE).render(version=version, key=client.get_remote_server_key().get_name()))
    finally:
        client.close()
        server.close()


if __name__ == "__main__":
    sys.exit(main())
