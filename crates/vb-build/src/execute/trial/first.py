"""The first process of a machine that no service manager boots: it reaps what nobody else does."""
import os
import time

while True:
    try:
        os.wait()
    except OSError:
        # There is no child.
        time.sleep(0.1)
