"""Hosts in the settings: names and addresses, and advice where something else was written."""

import ipaddress
import re

_HOST_NAME = re.compile(r"([\w-]{1,63}\.)*[\w-]{1,63}\.?")
_URL = re.compile(
    r"((?P<scheme>[a-z+]+)://)?(?P<user>[^/@]*@)?(?P<host>\[[^]]*\]|[^/:@\[\]]*)(:(?P<port>\d+))?(/.*)?",
    re.IGNORECASE,
)
_PORTS = {"http": 80, "https": 443}


def read(value: str) -> str | None:
    """The host, an IPv6 address without brackets; None if it is not a host."""
    bare = value.removeprefix("[").removesuffix("]")
    return bare if _HOST_NAME.fullmatch(value) or _is_ipv6(bare) else None


def advice(name: str, value: str) -> str:
    """What to write instead; never repeats the value, which may contain a password."""
    server = name.partition("_")[0]
    found = _URL.fullmatch(value)
    host = read(found["host"]) if found else None
    if not found or host is None:
        return f"{name} is not the name or address of a host: write one, such as cht.example.org."
    scheme = (found["scheme"] or "").lower() if server == "COUCHDB" else ""
    parts = [f"{name}={host}"]
    if port := found["port"] or _PORTS.get(scheme):
        parts.append(f"{server}_PORT={port}")
    if scheme in _PORTS:
        parts.append(f"COUCHDB_SECURE={'true' if scheme == 'https' else 'false'}")
    if found["user"]:
        parts.append(f"{server}_USER and {server}_PASSWORD for the account")
    return f"{name} must be a host alone: write {', '.join(parts)}."


def _is_ipv6(value: str) -> bool:
    try:
        return ipaddress.IPv6Address(value).scope_id is None
    except ValueError:
        return False
