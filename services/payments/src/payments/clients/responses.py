"""How the HTTP clients read a response, and which exceptions show that a request was never sent."""

import json
from datetime import timedelta
from typing import Any

import httpx

from shared.values.count import count
from shared.values.text import cleaned_tree

#: Raised before the first byte of a request is sent: the other side cannot have acted.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_LONGEST_PAUSE_SECONDS = 600
_LONGEST_TEXT = 10_000


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object in a response, with its texts cleaned; None where the body is not one."""
    try:
        value = cleaned_tree(json.loads(response.content), _LONGEST_TEXT)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def retry_after(response: httpx.Response) -> timedelta | None:
    """Retry-After in seconds, at most ten minutes; None where it is absent or a date."""
    seconds = count(response.headers.get("Retry-After", ""))
    return None if seconds is None else timedelta(seconds=min(seconds, _LONGEST_PAUSE_SECONDS))
