"""Serves the application with uvloop and httptools, asks it once, and prints what it says."""
import socket
import threading
import urllib.request

import uvicorn

from main import app


def serve_once():
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, loop="uvloop", http="httptools", log_level="warning"))
    # The listener has its queue before the server runs, so the question can be asked at once.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d/hello" % listener.getsockname()[1], timeout=60) as response:
            print(response.read().decode())
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    serve_once()
