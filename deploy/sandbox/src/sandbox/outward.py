"""HTTP clients; the trust store is read once for all, which otherwise costs each client 30 ms."""

import ssl
from functools import cache

import httpx


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def new_client(*, timeout: float, base_url: str = "", connections: int = 100) -> httpx.AsyncClient:
    """A client that takes no settings from its surroundings."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(base_url=base_url, timeout=timeout, limits=limits, trust_env=False, verify=_trust())
