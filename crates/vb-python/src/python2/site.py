"""Makes the interpreter beside this file's environment use it, and then does what the platform's own `site` does.

The interpreter finds its prefix by its own path. The standard library stays where the platform has it, and so do the
security fixes of it: only what is below `site-packages` is the environment's.
"""
import imp
import sys

# What root runs leaves no files behind that no package has.
sys.dont_write_bytecode = True
# By this name installers know that they are in an environment.
sys.real_prefix = "@REAL_PREFIX@"
_own = sys.prefix
sys.path[:] = [
    sys.real_prefix + entry[len(_own):] if entry.startswith(_own + "/lib/") else entry for entry in sys.path
]


class _Flags(object):
    """What a user has installed at home is no part of the environment."""

    no_user_site = 1


_flags, sys.flags = sys.flags, _Flags
try:
    # In the place of this module, which has its name.
    imp.load_module("site", *imp.find_module("site", [sys.real_prefix + "/lib/python@VERSION@"]))
finally:
    sys.flags = _flags


def getsitepackages():
    """Returns the one directory of packages that the environment has."""
    return [sys.prefix + "/lib/python@VERSION@/site-packages"]


PREFIXES = [sys.prefix]
# What an entry of PYTHONPATH says comes first, as everywhere.
addsitedir(getsitepackages()[0])
