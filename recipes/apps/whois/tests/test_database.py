"""The query and what happens when its session is lost, with a session that needs no server."""

import unittest
from datetime import date
from types import SimpleNamespace
from typing import Any

import psycopg2
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from whois_server.database import SELECT, _explain, _select
from whois_server.domain import Domain
from whois_server.protocol import LookupFailed

ROW = ("example.org", "Example Registrar Ltd", date(1995, 8, 31), None, ["ns1.example.net"], "active")


class FakeTransaction:
    """Answers with `row` once the given errors have been raised, and notes what it is asked to do."""

    def __init__(self, row: tuple[Any, ...] | None, *errors: Exception, is_lost: bool = False) -> None:
        self.calls: list[str] = []
        self.executed: list[tuple[str, tuple[str, ...]]] = []
        self.connection = SimpleNamespace(closed=2 if is_lost else 0)
        self._row = row
        self._errors = list(errors)

    def execute(self, query: str, values: tuple[str, ...]) -> None:
        """Raise the next error, if one is left."""
        self.calls.append("execute")
        self.executed.append((query, values))
        if self._errors:
            raise self._errors.pop(0)

    def reconnect(self) -> None:
        """Note the call."""
        self.calls.append("reconnect")

    def reopen(self) -> None:
        """Note the call."""
        self.calls.append("reopen")

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the row."""
        return self._row


class Select(unittest.TestCase):
    """One lookup in a session of the pool."""

    def test_a_row_becomes_a_registration(self) -> None:
        domain = Domain(
            name="example.org",
            registrar="Example Registrar Ltd",
            registered=date(1995, 8, 31),
            nameservers=("ns1.example.net",),
            status="active",
        )
        self.assertEqual(_select(FakeTransaction(ROW), "example.org"), domain)

    def test_a_row_of_nulls_becomes_a_name(self) -> None:
        row = ("pending.example", None, None, None, None, None)
        self.assertEqual(_select(FakeTransaction(row), "pending.example"), Domain("pending.example"))

    def test_the_name_is_a_parameter_of_the_query(self) -> None:
        transaction = FakeTransaction(None)
        self.assertIsNone(_select(transaction, "unknown.example"))
        self.assertEqual(transaction.executed, [(SELECT, ("unknown.example",))])

    def test_a_lost_session_is_replaced_and_asked_once_more(self) -> None:
        transaction = FakeTransaction(ROW, psycopg2.OperationalError("server closed the connection"), is_lost=True)
        self.assertIsNotNone(_select(transaction, "example.org"))
        self.assertEqual(transaction.calls, ["execute", "reconnect", "reopen", "execute"])

    def test_there_is_no_second_retry(self) -> None:
        errors = [psycopg2.OperationalError("server closed the connection") for _ in range(2)]
        transaction = FakeTransaction(ROW, *errors, is_lost=True)
        with self.assertRaises(psycopg2.OperationalError):
            _select(transaction, "example.org")
        self.assertEqual(transaction.calls.count("execute"), 2)

    def test_an_error_in_a_session_that_lives_is_not_retried(self) -> None:
        transaction = FakeTransaction(ROW, psycopg2.OperationalError("statement timeout"))
        with self.assertRaises(psycopg2.OperationalError):
            _select(transaction, "example.org")
        self.assertEqual(transaction.calls, ["execute"])


class Explain(unittest.TestCase):
    """What the protocol is told of a failure."""

    def failure_of(self, error: Exception) -> Failure:
        """Return what a lookup fails with when the pool fails with `error`."""
        failed: Deferred[None] = fail(error)
        failures: list[Failure] = []
        failed.addErrback(_explain).addErrback(failures.append)
        [failure] = failures
        return failure

    def test_an_error_of_the_database_is_put_on_one_line(self) -> None:
        failure = self.failure_of(psycopg2.OperationalError("connection refused\n\tIs the server running?\n"))
        self.assertIsInstance(failure.value, LookupFailed)
        self.assertEqual(str(failure.value), "connection refused Is the server running?")

    def test_any_other_error_is_passed_on(self) -> None:
        self.assertIsInstance(self.failure_of(TypeError("broken")).value, TypeError)


if __name__ == "__main__":
    unittest.main()
