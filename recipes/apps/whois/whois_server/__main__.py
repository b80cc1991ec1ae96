"""Command line: ``python -m whois_server --config FILE``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from whois_server import config, logs, service


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until a signal stops it, and return the exit status."""
    options = _parser().parse_args(arguments)
    logs.configure("info")
    logs.capture_twisted()
    try:
        settings = config.load(options.config)
    except config.ConfigError as error:
        structlog.get_logger().error("configuration refused", problem=str(error))
        return os.EX_CONFIG
    logs.configure(settings.log.level)
    return service.run(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="whois_server", description="Answer WHOIS queries over TCP.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the YAML configuration")
    return parser


if __name__ == "__main__":
    sys.exit(main())
