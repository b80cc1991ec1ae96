"""The YAML configuration file, checked key by key."""

import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import yaml

LEVELS = ("debug", "info", "warning", "error", "critical")
LONGEST_TIMEOUT = 3600


class ConfigError(Exception):
    """A configuration that cannot be used: which file, which key, and why."""

    def __init__(self, path: Path, key: str | None, problem: str) -> None:
        super().__init__(": ".join(filter(None, [str(path), key, problem])))
        self.path = path
        self.key = key
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the server answers."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Database:
    """Where the registrations are."""

    # It may hold a password, which belongs in no log and no traceback.
    dsn: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Log:
    """What is logged."""

    level: str


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds."""

    idle: float
    database: float


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    listen: Listen
    database: Database
    log: Log
    timeouts: Timeouts


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises ConfigError for the first thing that is wrong with it.
    """
    document = _mapping(path, None, _parse(path))
    values = {section: _section(path, section, keys, document) for section, keys in _SECTIONS.items()}
    _refuse_unknown(path, "", document, _SECTIONS)
    return Config(
        listen=Listen(**values["listen"]),
        database=Database(**values["database"]),
        log=Log(**values["log"]),
        timeouts=Timeouts(**values["timeouts"]),
    )


def _parse(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(path, None, f"cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(path, None, f"is not YAML: {error}") from error


def _section(path: Path, name: str, keys: "dict[str, _Key]", document: dict[Any, Any]) -> dict[str, Any]:
    section = _mapping(path, name, document.get(name))
    _refuse_unknown(path, f"{name}.", section, keys)
    return {key: _value(path, f"{name}.{key}", expected, section.get(key)) for key, expected in keys.items()}


def _mapping(path: Path, key: str | None, value: Any) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(path, key, "must be a mapping")
    return value


def _refuse_unknown(path: Path, prefix: str, given: dict[Any, Any], known: dict[str, Any]) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(path, f"{prefix}{key}", f"is unknown; known are {', '.join(known)}")


def _value(path: Path, key: str, expected: "_Key", value: Any) -> Any:
    if value is None:
        value = expected.default
    if value is None:
        raise ConfigError(path, key, "is missing")
    try:
        return expected.check(value)
    except ValueError as error:
        raise ConfigError(path, key, str(error)) from error


def _address(value: Any) -> str:
    try:
        # A number would be taken for a packed address.
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError(f"must be an IP address, not {value!r}") from None


def _port(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise ValueError(f"must be a number from 1 to 65535, not {value!r}")
    return value


def _dsn(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a libpq connection string")
    try:
        psycopg2.extensions.parse_dsn(value)
    except psycopg2.ProgrammingError as error:
        raise ValueError(f"must be a libpq connection string: {str(error).strip()}") from error
    return value


def _level(value: Any) -> str:
    if value not in LEVELS:
        raise ValueError(f"must be one of {', '.join(LEVELS)}, not {value!r}")
    return str(value)


def _seconds(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not 0 < value <= LONGEST_TIMEOUT:
        raise ValueError(f"must be a number of seconds above 0 and up to {LONGEST_TIMEOUT}, not {value!r}")
    return float(value)


@dataclass(frozen=True, slots=True)
class _Key:
    check: Callable[[Any], Any]
    # None: the key must be given.
    default: Any = None


_SECTIONS: dict[str, dict[str, _Key]] = {
    "listen": {"host": _Key(_address, "0.0.0.0"), "port": _Key(_port)},
    "database": {"dsn": _Key(_dsn)},
    "log": {"level": _Key(_level, "info")},
    "timeouts": {"idle": _Key(_seconds, 30), "database": _Key(_seconds, 5)},
}
