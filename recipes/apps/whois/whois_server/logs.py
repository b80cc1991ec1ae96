"""Logging: one JSON object per line on standard error, Twisted's own messages included."""

import logging
import sys
from typing import Any

import structlog
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
from zope.interface import provider

_METHODS = {
    LogLevel.debug: "debug",
    LogLevel.info: "info",
    LogLevel.warn: "warning",
    LogLevel.error: "error",
    LogLevel.critical: "critical",
}


def configure(level: str) -> None:
    """Log messages of `level` and above; may be called again with another level."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def capture_twisted() -> None:
    """Send Twisted's log to structlog, with what it has buffered so far; to be called once."""
    globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False)


@provider(ILogObserver)
def observe(event: LogEvent) -> None:
    """Write one event of Twisted's log."""
    fields: dict[str, Any] = {"namespace": event.get("log_namespace")}
    failure = event.get("log_failure")
    if failure is not None:
        fields["exception"] = failure.getTraceback()
    method = _METHODS.get(event.get("log_level"), "info")
    getattr(structlog.get_logger(), method)(formatEvent(event) or "failure", **fields)
