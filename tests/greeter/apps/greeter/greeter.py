"""Greets."""

import sys

import attrs


@attrs.frozen
class Greeting:
    """What is said by which Python."""

    text: str = "hello from Python {}.{}".format(*sys.version_info[:2])


if __name__ == "__main__":
    print(Greeting().text)
