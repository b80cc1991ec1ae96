"""The WHOIS protocol: one line in, one answer out, and the server closes."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol as Structure

import structlog
from twisted.internet import interfaces
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from whois_server.domain import NEWLINE, Domain, MalformedName, normalise, render

log = structlog.get_logger()

# Looks up a normalised name; fails with LookupFailed while the registrations cannot be read.
Lookup = Callable[[str], "Deferred[Domain | None]"]


class LookupFailed(Exception):
    """The registrations cannot be read at the moment; the message says why."""


class Clock(Structure):
    """What the protocol needs of a reactor; `twisted.internet.task.Clock` has it too."""

    def seconds(self) -> float:
        """Return the current time."""

    def callLater(self, delay: float, callable: Callable[..., object]) -> interfaces.IDelayedCall:
        """Call ``callable`` after ``delay`` seconds."""


class Outcome(StrEnum):
    """How a connection ended, as its log line says."""

    FOUND = "found"
    NO_MATCH = "no match"
    MALFORMED = "malformed query"
    TOO_LONG = "query too long"
    FAILED = "lookup failed"
    IDLE = "idle"
    STOPPED = "server stopped"
    CLOSED = "closed by the client"


@implementer(interfaces.IHalfCloseableProtocol)
class WhoisProtocol(LineReceiver, TimeoutMixin):
    """One connection: reads a query, answers it, closes, and logs one line."""

    # RFC 3912 ends a query with CRLF, but many clients send LF alone.
    delimiter = b"\n"
    # The longest domain name has 253 octets; written in UTF-8 it can take more.
    MAX_LENGTH = 512

    factory: "WhoisFactory"
    transport: interfaces.ITCPTransport

    def __init__(self, clock: Clock, lookup: Lookup, idle_timeout: float) -> None:
        self._clock = clock
        self._lookup = lookup
        self._idle_timeout = idle_timeout
        self._query: str | None = None
        self._outcome: Outcome | None = None
        self._lost = False

    def callLater(self, delay: float, callable: Callable[[], object]) -> interfaces.IDelayedCall:
        """Count the time limits of `TimeoutMixin` with the factory's clock."""
        return self._clock.callLater(delay, callable)

    def connectionMade(self) -> None:
        """Give the client a limited time for its query."""
        self._started = self._clock.seconds()
        self.factory.connections.add(self)
        self.setTimeout(self._idle_timeout)

    def lineReceived(self, line: bytes) -> None:
        """Look the name up; whatever follows the first line is read and dropped."""
        self.setRawMode()
        # The database has time limits of its own.
        self.setTimeout(None)
        try:
            self._query = line.decode("utf-8").strip()
            name = normalise(self._query)
        except (UnicodeDecodeError, MalformedName):
            self._answer(Outcome.MALFORMED, f"Malformed query.{NEWLINE}")
            return
        self._query = name
        # The errback comes last so that a registration that cannot be rendered is answered as well.
        self._lookup(name).addCallback(self._looked_up).addErrback(self._lookup_failed)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that no domain name can need."""
        self.setRawMode()
        self._answer(Outcome.TOO_LONG, f"Query too long.{NEWLINE}")

    def rawDataReceived(self, data: bytes) -> None:
        """Drop what follows the query.

        Reading it matters: closing a socket with unread data resets the connection and can lose the answer.
        """

    def readConnectionLost(self) -> None:
        """Answer a client that shut down its sending side after the query, as ``nc -N`` does."""
        if self._is_waiting_for_query():
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing can be answered any more."""
        self.transport.loseConnection()

    def timeoutConnection(self) -> None:
        """Drop a client that does not ask, or does not read its answer."""
        if self._outcome is None:
            self._close(Outcome.IDLE)
        else:
            self.transport.abortConnection()

    def stop(self) -> None:
        """Drop a client that has not asked; one that has still gets its answer."""
        if self._is_waiting_for_query():
            self._close(Outcome.STOPPED)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Write the connection's log line."""
        self._lost = True
        self.setTimeout(None)
        outcome = self._outcome or Outcome.CLOSED
        log.info(
            "connection",
            peer=format_peer(self.transport.getPeer()),
            query=self._query,
            found=outcome is Outcome.FOUND,
            outcome=str(outcome),
            milliseconds=round((self._clock.seconds() - self._started) * 1000, 1),
        )
        self.factory.forget(self)

    def _is_waiting_for_query(self) -> bool:
        return bool(self.line_mode)

    def _looked_up(self, domain: Domain | None) -> None:
        if domain is None:
            self._answer(Outcome.NO_MATCH, f'No match for "{self._query}".{NEWLINE}')
        else:
            self._answer(Outcome.FOUND, render(domain))

    def _lookup_failed(self, failure: Failure) -> None:
        if failure.check(LookupFailed):
            log.error("lookup failed", query=self._query, problem=str(failure.value))
        else:
            log.error("lookup failed", query=self._query, exc_info=failure.value)
        self._answer(Outcome.FAILED, f"Service temporarily unavailable.{NEWLINE}")

    def _answer(self, outcome: Outcome, text: str) -> None:
        if self._lost:
            return
        self.setTimeout(self._idle_timeout)
        self.transport.write(text.encode("utf-8"))
        self._close(outcome)

    def _close(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.transport.loseConnection()


class WhoisFactory(Factory):
    """Makes the protocol of each connection and knows which are open."""

    noisy = False

    def __init__(self, clock: Clock, lookup: Lookup, idle_timeout: float) -> None:
        self.connections: set[WhoisProtocol] = set()
        self._clock = clock
        self._lookup = lookup
        self._idle_timeout = idle_timeout
        self._drained: Deferred[None] | None = None

    def buildProtocol(self, addr: interfaces.IAddress | None) -> WhoisProtocol:
        """Make the protocol of one connection."""
        protocol = WhoisProtocol(self._clock, self._lookup, self._idle_timeout)
        protocol.factory = self
        return protocol

    def drain(self) -> "Deferred[None]":
        """Stop every connection; the result fires when the last is gone."""
        for protocol in list(self.connections):
            protocol.stop()
        if not self.connections:
            return succeed(None)
        self._drained = Deferred()
        return self._drained

    def forget(self, protocol: WhoisProtocol) -> None:
        """Take a closed connection off the list."""
        self.connections.discard(protocol)
        if self._drained is not None and not self.connections:
            drained, self._drained = self._drained, None
            drained.callback(None)


def format_peer(address: interfaces.IAddress) -> str:
    """Write a client's address as ``192.0.2.1:1234`` or ``[2001:db8::1]:1234``."""
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    return str(address)
