"""What a registration is, which names can have one, and how it is written in an answer."""

import re
from dataclasses import dataclass
from datetime import date

NEWLINE = "\r\n"

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


class MalformedName(ValueError):
    """A query that is not a domain name."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One registration, as the table ``domains`` holds it."""

    name: str
    registrar: str | None = None
    registered: date | None = None
    expires: date | None = None
    nameservers: tuple[str, ...] = ()
    status: str | None = None


def normalise(query: str) -> str:
    """Return the name that is asked for in the table's form: lower case, A-labels, no final dot.

    Raises MalformedName when no domain can have that name.
    """
    name = query.strip().removesuffix(".").lower()
    try:
        ascii_name = name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise MalformedName(query) from error
    if not _NAME.fullmatch(ascii_name):
        raise MalformedName(query)
    return ascii_name


def render(domain: Domain) -> str:
    """Write a registration as ``Key: value`` lines, leaving out what is not known."""
    fields = [
        ("Domain Name", domain.name),
        ("Registrar", domain.registrar),
        ("Creation Date", domain.registered),
        ("Registry Expiry Date", domain.expires),
        *(("Name Server", nameserver) for nameserver in domain.nameservers),
        ("Domain Status", domain.status),
    ]
    return "".join(f"{key}: {value}{NEWLINE}" for key, value in fields if value is not None)
