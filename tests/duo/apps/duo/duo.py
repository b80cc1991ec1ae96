"""Answers every connection with a text that another package of the recipe has."""

import pathlib
import socketserver

GREETING = pathlib.Path(__file__).with_name("greeting.txt")


class Greet(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(GREETING.read_bytes())


class Server(socketserver.TCPServer):
    allow_reuse_address = True


if __name__ == "__main__":
    with Server(("127.0.0.1", 7007), Greet) as server:
        server.serve_forever()
