"""Asks a project's build back end what its build needs beside what `pyproject.toml` says (PEP 517).

Arguments: the project's directory, the back end, the file that the answer is written to, and the directories of an in-tree
back end. The answer is a JSON list.
"""

import importlib
import json
import os
import sys

project, backend, output = sys.argv[1:4]
os.chdir(project)
sys.path[:0] = [os.path.join(project, path) for path in sys.argv[4:]]
sys.argv = ["setup.py"]
module, _, attributes = backend.partition(":")
found = importlib.import_module(module)
for attribute in filter(None, attributes.split(".")):
    found = getattr(found, attribute)
hook = getattr(found, "get_requires_for_build_wheel", None)
answer = list(hook(None)) if hook else []
with open(output, "w") as file:
    json.dump(answer, file)
