"""A server of the S3 protocol that holds objects in memory, with one bucket, `packages`.

It tells its port to who listens at the port that is its argument.
"""

import socket
import sys

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].create_bucket("packages", "us-east-1")
application = DomainDispatcherApplication(create_backend_app)
# One request after another: a conditional put looks and writes in one step.
server = make_server("127.0.0.1", 0, application, threaded=False, request_handler=MotoRequestHandler)
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as ready:
    ready.sendall(str(server.server_port).encode())
server.serve_forever()
