"""How gunicorn serves the project; read from the directory that it is started in."""

import os

wsgi_app = "somedjangoapp.wsgi"
bind = os.environ.get("LISTEN", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# The heartbeat of the workers; on a disk it could block them.
worker_tmp_dir = "/dev/shm"
accesslog = "-"
