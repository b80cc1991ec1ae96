"""The JSON log."""

import contextlib
import io
import json
import unittest
from typing import Any

import structlog
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure

from whois_server import logs


class JsonLog(unittest.TestCase):
    """What reaches standard error."""

    def setUp(self) -> None:
        self.stderr = io.StringIO()
        redirection = contextlib.redirect_stderr(self.stderr)
        redirection.__enter__()
        self.addCleanup(redirection.__exit__, None, None, None)
        self.addCleanup(structlog.reset_defaults)

    def lines(self) -> list[dict[str, Any]]:
        """Parse what has been written."""
        return [json.loads(line) for line in self.stderr.getvalue().splitlines()]

    def test_a_message_is_one_json_object(self) -> None:
        logs.configure("info")
        structlog.get_logger().info("listening", port=4343)
        [line] = self.lines()
        self.assertRegex(line.pop("timestamp"), r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        self.assertEqual(line, {"event": "listening", "level": "info", "port": 4343})

    def test_messages_below_the_level_are_not_written(self) -> None:
        logs.configure("warning")
        structlog.get_logger().info("listening")
        structlog.get_logger().warning("connections dropped")
        self.assertEqual([line["event"] for line in self.lines()], ["connections dropped"])

    def test_an_exception_stays_on_its_line(self) -> None:
        logs.configure("info")
        try:
            raise OSError("no route")
        except OSError as error:
            structlog.get_logger().error("lookup failed", exc_info=error)
        [line] = self.lines()
        self.assertIn("OSError: no route", line["exception"])

    def test_twisteds_events_are_written_too(self) -> None:
        logs.configure("info")
        logger = Logger(namespace="twisted", observer=LogPublisher(logs.observe))
        logger.warn("port {port} is busy", port=43)
        logger.failure("unhandled", failure=Failure(ValueError("broken")))
        warning, failure = self.lines()
        self.assertEqual(
            (warning["event"], warning["level"], warning["namespace"]), ("port 43 is busy", "warning", "twisted")
        )
        self.assertEqual((failure["event"], failure["level"]), ("unhandled", "critical"))
        self.assertIn("ValueError: broken", failure["exception"])


if __name__ == "__main__":
    unittest.main()
