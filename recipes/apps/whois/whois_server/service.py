"""The server as a whole: what starts with the process and stops with it."""

import os
from typing import Any

import structlog
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from whois_server.config import Config
from whois_server.database import DomainDatabase
from whois_server.protocol import WhoisFactory

log = structlog.get_logger()

# Less than the seven seconds that runit waits for a service to stop.
DRAIN_SECONDS = 5


class WhoisService(Service):
    """Listens from start to stop; stopping lets the queries that are running have their answer."""

    def __init__(self, config: Config, reactor: Any) -> None:
        self.setName("whois")
        self._config = config
        self._reactor = reactor
        self._database = DomainDatabase(config.database.dsn, config.timeouts.database)
        self._factory = WhoisFactory(reactor, self._database.lookup, config.timeouts.idle)
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        """Listen; raises CannotListenError when the address is taken or not allowed."""
        listen = self._config.listen
        self._port = self._reactor.listenTCP(listen.port, self._factory, interface=listen.host)
        super().startService()
        log.info("listening", host=listen.host, port=listen.port)

    def stopService(self) -> "Deferred[None]":
        """Close the port, then the connections, then the database."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        log.info("stopping", connections=len(self._factory.connections))
        if self._port is not None:
            await defer.maybeDeferred(self._port.stopListening)
        try:
            await self._factory.drain().addTimeout(DRAIN_SECONDS, self._reactor)
        except defer.TimeoutError:
            log.warning("connections dropped", connections=len(self._factory.connections))
        self._database.close()
        log.info("stopped")


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT, and return the process's exit status."""
    # Importing the reactor installs it, which nobody who only imports this module asked for.
    from twisted.internet import reactor as installed

    reactor: Any = installed
    service = WhoisService(config, reactor)
    try:
        service.startService()
    except CannotListenError as error:
        log.error("cannot listen", problem=str(error))
        return os.EX_UNAVAILABLE
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()
    return os.EX_OK
