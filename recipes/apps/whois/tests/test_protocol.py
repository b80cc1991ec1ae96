"""The protocol, with a lookup that needs no database."""

import unittest
from typing import Any

from structlog.testing import capture_logs
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from whois_server.domain import Domain
from whois_server.protocol import LookupFailed, WhoisFactory, WhoisProtocol, format_peer

IDLE_TIMEOUT = 30
PEER = IPv4Address("TCP", "192.0.2.1", 1234)


class ProtocolTestCase(unittest.TestCase):
    """A factory with a lookup that answers from `registrations`, and connections to it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[str] = []
        self.registrations = {"example.org": Domain("example.org", registrar="Example Registrar Ltd")}
        self.factory = WhoisFactory(self.clock, self.look_up, IDLE_TIMEOUT)
        capture = capture_logs()
        self.logged = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)

    def look_up(self, name: str) -> "Deferred[Domain | None]":
        """Find a registration as the database would."""
        self.asked.append(name)
        return succeed(self.registrations.get(name))

    def connect(self) -> tuple[WhoisProtocol, StringTransport]:
        """Open a connection."""
        protocol = self.factory.buildProtocol(PEER)
        transport = StringTransport(peerAddress=PEER)
        protocol.makeConnection(transport)
        return protocol, transport

    def ask(self, *received: bytes) -> StringTransport:
        """Open a connection, receive the data in these pieces, and close it."""
        protocol, transport = self.connect()
        for data in received:
            protocol.dataReceived(data)
        self.lose(protocol)
        return transport

    def lose(self, protocol: WhoisProtocol) -> None:
        """Close a connection."""
        protocol.connectionLost(Failure(ConnectionDone()))

    def last_line(self) -> dict[str, Any]:
        """Return the last connection's log line."""
        return dict([line for line in self.logged if line["event"] == "connection"][-1])


class Answers(ProtocolTestCase):
    """What the client reads."""

    def test_a_registered_name_is_answered_and_the_connection_closed(self) -> None:
        transport = self.ask(b"example.org\r\n")
        self.assertEqual(transport.value(), b"Domain Name: example.org\r\nRegistrar: Example Registrar Ltd\r\n")
        self.assertTrue(transport.disconnecting)

    def test_an_unknown_name_has_no_match(self) -> None:
        transport = self.ask(b"Unknown.Example.\r\n")
        self.assertEqual(transport.value(), b'No match for "unknown.example".\r\n')
        self.assertTrue(transport.disconnecting)

    def test_the_name_is_normalised_before_it_is_looked_up(self) -> None:
        self.ask(b"  EXAMPLE.org. \r\n")
        self.ask("Bücher.example\r\n".encode())
        self.assertEqual(self.asked, ["example.org", "xn--bcher-kva.example"])

    def test_a_line_feed_alone_ends_a_query(self) -> None:
        self.assertIn(b"Domain Name: example.org", self.ask(b"example.org\n").value())

    def test_a_query_may_arrive_in_pieces(self) -> None:
        self.assertIn(b"Domain Name: example.org", self.ask(b"exam", b"ple.org\r", b"\n").value())

    def test_only_the_first_line_is_answered(self) -> None:
        transport = self.ask(b"example.org\r\nunknown.example\r\n", b"more.example\r\n")
        self.assertEqual(transport.value().count(b"\r\n"), 2)
        self.assertEqual(self.asked, ["example.org"])

    def test_what_is_no_name_is_not_looked_up(self) -> None:
        for query in [b"\r\n", b"a b\r\n", b"\xff\xfe.org\r\n", b"'; DROP TABLE domains; --\r\n"]:
            with self.subTest(query=query):
                transport = self.ask(query)
                self.assertEqual(transport.value(), b"Malformed query.\r\n")
                self.assertTrue(transport.disconnecting)
        self.assertEqual(self.asked, [])

    def test_a_line_that_is_too_long_is_refused_whether_it_ends_or_not(self) -> None:
        for received in [b"a" * 513 + b"\r\n", b"a" * 100_000]:
            with self.subTest(length=len(received)):
                transport = self.ask(received, b"example.org\r\n")
                self.assertEqual(transport.value(), b"Query too long.\r\n")
                self.assertTrue(transport.disconnecting)
        self.assertEqual(self.asked, [])

    def test_a_failed_lookup_is_answered_and_logged(self) -> None:
        self.factory._lookup = lambda name: fail(LookupFailed("connection refused"))
        transport = self.ask(b"example.org\r\n")
        self.assertEqual(transport.value(), b"Service temporarily unavailable.\r\n")
        self.assertTrue(transport.disconnecting)
        self.assertEqual(
            self.logged[0],
            {
                "event": "lookup failed",
                "log_level": "error",
                "query": "example.org",
                "problem": "connection refused",
            },
        )
        self.assertEqual(self.last_line()["outcome"], "lookup failed")

    def test_an_unforeseen_failure_is_answered_and_logged_with_its_traceback(self) -> None:
        self.factory._lookup = lambda name: succeed("no registration")  # type: ignore[arg-type]
        transport = self.ask(b"example.org\r\n")
        self.assertEqual(transport.value(), b"Service temporarily unavailable.\r\n")
        self.assertIsInstance(self.logged[0]["exc_info"], AttributeError)


class Connections(ProtocolTestCase):
    """When a connection is closed."""

    def test_a_client_that_asks_nothing_is_dropped(self) -> None:
        protocol, transport = self.connect()
        self.clock.advance(IDLE_TIMEOUT - 1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)
        self.lose(protocol)
        self.assertEqual(self.last_line()["outcome"], "idle")

    def test_a_trickle_of_bytes_does_not_extend_the_time(self) -> None:
        protocol, transport = self.connect()
        self.clock.advance(IDLE_TIMEOUT - 1)
        protocol.dataReceived(b"a")
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)

    def test_a_slow_lookup_is_waited_for(self) -> None:
        found: Deferred[Domain | None] = Deferred()
        self.factory._lookup = lambda name: found
        protocol, transport = self.connect()
        protocol.dataReceived(b"example.org\r\n")
        self.clock.advance(IDLE_TIMEOUT * 2)
        self.assertFalse(transport.disconnecting)
        found.callback(None)
        self.assertEqual(transport.value(), b'No match for "example.org".\r\n')

    def test_a_client_that_does_not_read_its_answer_is_dropped(self) -> None:
        protocol, transport = self.connect()
        protocol.dataReceived(b"example.org\r\n")
        self.clock.advance(IDLE_TIMEOUT)
        self.assertTrue(transport.disconnected)
        self.lose(protocol)
        self.assertEqual(self.last_line()["outcome"], "found")

    def test_a_half_closed_connection_gets_its_answer(self) -> None:
        found: Deferred[Domain | None] = Deferred()
        self.factory._lookup = lambda name: found
        protocol, transport = self.connect()
        protocol.dataReceived(b"example.org\r\n")
        protocol.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        found.callback(None)
        self.assertEqual(transport.value(), b'No match for "example.org".\r\n')

    def test_a_half_closed_connection_without_a_query_is_closed(self) -> None:
        protocol, transport = self.connect()
        protocol.readConnectionLost()
        self.assertTrue(transport.disconnecting)

    def test_an_answer_that_comes_after_the_client_left_is_dropped(self) -> None:
        found: Deferred[Domain | None] = Deferred()
        self.factory._lookup = lambda name: found
        protocol, transport = self.connect()
        protocol.dataReceived(b"example.org\r\n")
        self.lose(protocol)
        found.callback(None)
        self.assertEqual(transport.value(), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_draining_drops_who_has_not_asked_and_waits_for_the_others(self) -> None:
        found: Deferred[Domain | None] = Deferred()
        self.factory._lookup = lambda name: found
        silent, silent_transport = self.connect()
        asking, asking_transport = self.connect()
        asking.dataReceived(b"example.org\r\n")
        drained: list[None] = []
        self.factory.drain().addCallback(drained.append)
        self.assertTrue(silent_transport.disconnecting)
        self.assertFalse(asking_transport.disconnecting)
        self.lose(silent)
        self.assertEqual(self.last_line()["outcome"], "server stopped")
        self.assertEqual(drained, [])
        found.callback(None)
        self.lose(asking)
        self.assertEqual(drained, [None])
        self.assertEqual(self.last_line()["outcome"], "no match")

    def test_draining_without_connections_is_done_at_once(self) -> None:
        self.ask(b"example.org\r\n")
        drained: list[None] = []
        self.factory.drain().addCallback(drained.append)
        self.assertEqual(drained, [None])


class LogLines(ProtocolTestCase):
    """What each connection logs."""

    def test_a_connection_logs_one_line(self) -> None:
        protocol, _ = self.connect()
        self.clock.advance(0.25)
        protocol.dataReceived(b"Example.org\r\n")
        self.lose(protocol)
        self.assertEqual(
            self.logged,
            [
                {
                    "event": "connection",
                    "log_level": "info",
                    "peer": "192.0.2.1:1234",
                    "query": "example.org",
                    "found": True,
                    "outcome": "found",
                    "milliseconds": 250.0,
                }
            ],
        )

    def test_the_line_says_what_was_not_found(self) -> None:
        self.ask(b"unknown.example\r\n")
        line = self.last_line()
        self.assertEqual((line["query"], line["found"], line["outcome"]), ("unknown.example", False, "no match"))

    def test_a_malformed_query_is_logged_as_it_was_sent(self) -> None:
        self.ask(b"a b\r\n")
        line = self.last_line()
        self.assertEqual((line["query"], line["found"], line["outcome"]), ("a b", False, "malformed query"))

    def test_a_client_that_leaves_without_a_query_is_logged(self) -> None:
        self.ask()
        line = self.last_line()
        self.assertEqual((line["query"], line["found"], line["outcome"]), (None, False, "closed by the client"))

    def test_addresses_are_written_with_their_port(self) -> None:
        self.assertEqual(format_peer(PEER), "192.0.2.1:1234")
        self.assertEqual(format_peer(IPv6Address("TCP", "2001:db8::1", 43)), "[2001:db8::1]:43")
        self.assertIn("socket", format_peer(UNIXAddress("/run/socket")))


if __name__ == "__main__":
    unittest.main()
