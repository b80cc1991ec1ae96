"""Runs the build back end of a project (PEP 517), with exactly what the build requires, installed by pip of no index.

Run by Python 2 as `python2.7 <this> ask|build <pip> <wheels> <requirements> <work> <project> <output> <back end> <path> ...`.
`<pip>` is the directory that pip is in, `<wheels>` the directory with those of the requirements, `<requirements>` the file that names them,
`<work>` an empty directory, and `<path>` directories of the project that hold its own back end. `build` writes the wheel to
the directory `<output>`, `ask` a JSON list of further requirements to the file `<output>`.
"""
import importlib
import json
import os
import subprocess
import sys

mode, pip, wheels, requirements, work, project, output, backend = sys.argv[1:9]
if os.listdir(wheels):
    command = [sys.executable, os.path.join(pip, "pip"), "install", "--isolated", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-compile", "--no-cache-dir", "--disable-pip-version-check", "--no-python-version-warning"]
    subprocess.check_call(command + ["--find-links", wheels, "--target", work, "--requirement", requirements])
os.environ["PYTHONPATH"] = work
os.chdir(project)
# In the place of this file's own directory.
sys.path[0:1] = [os.path.join(project, path) for path in sys.argv[9:]] + [work]
sys.argv = ["setup.py"]
module, _, attributes = backend.partition(":")
found = importlib.import_module(module)
for attribute in filter(None, attributes.split(".")):
    found = getattr(found, attribute)
if mode == "build":
    found.build_wheel(output)
else:
    hook = getattr(found, "get_requires_for_build_wheel", None)
    with open(output, "w") as file:
        json.dump(list(hook(None)) if hook else [], file)
