"""Looks registrations up in the table ``domains``."""

from functools import partial
from typing import Any, NoReturn

import psycopg2
from psycopg2.extensions import connection as Connection
from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from whois_server.domain import Domain
from whois_server.protocol import LookupFailed

SELECT = "SELECT name, registrar, registered, expires, nameservers, status FROM domains WHERE name = %s"


class DomainDatabase:
    """A pool of read-only PostgreSQL sessions."""

    def __init__(self, dsn: str, timeout: float) -> None:
        """Prepare the pool; it connects with its first query and starts and stops with the reactor.

        `timeout` is in seconds. It limits the attempt to connect, the query, and the wait for a server
        that has fallen silent.
        """
        milliseconds = max(1, round(timeout * 1000))
        self._pool = _Pool(
            "psycopg2",
            dsn,
            connect_timeout=max(1, round(timeout)),
            tcp_user_timeout=milliseconds,
            cp_name="database",
            cp_openfun=partial(_open_session, milliseconds),
            cp_reconnect=True,
        )

    def lookup(self, name: str) -> "Deferred[Domain | None]":
        """Find the registration of a normalised name; fails with LookupFailed."""
        found: Deferred[Domain | None] = self._pool.runInteraction(_select, name)
        return found.addErrback(_explain)

    def close(self) -> None:
        """Wait for the queries that are running, then disconnect."""
        self._pool.close()


class _Session(adbapi.Connection):
    def rollback(self) -> None:
        # There are no transactions (see _open_session). Asking a lost session to roll one back
        # would only add errors about that to the log.
        pass


class _Pool(adbapi.ConnectionPool):
    connectionFactory = _Session


def _open_session(milliseconds: int, connection: Connection) -> None:
    connection.set_session(readonly=True, autocommit=True)
    connection.set_client_encoding("UTF8")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = %s", (milliseconds,))


def _select(transaction: Any, name: str) -> Domain | None:
    try:
        transaction.execute(SELECT, (name,))
    except psycopg2.Error:
        if not transaction.connection.closed:
            raise
        # The server ended this session, in a restart for instance. One retry, and on this very
        # thread: the pool keeps a session per thread, and those of the others are dead as well.
        transaction.reconnect()
        transaction.reopen()
        transaction.execute(SELECT, (name,))
    row = transaction.fetchone()
    return None if row is None else _to_domain(row)


def _explain(failure: Failure) -> NoReturn:
    failure.trap(psycopg2.Error)
    raise LookupFailed(" ".join(str(failure.value).split())) from failure.value


def _to_domain(row: tuple[Any, ...]) -> Domain:
    name, registrar, registered, expires, nameservers, status = row
    return Domain(name, registrar, registered, expires, tuple(nameservers or ()), status)
