"""What the clients of the bank and of the cash registers have in common: how an answer is read, and what never left."""

import json
from datetime import timedelta
from typing import Any

import httpx

#: Raised before a byte of the request left: the other side cannot have acted.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_LONGEST_PAUSE_SECONDS = 600


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object in an answer; None where there is none."""
    try:
        value = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def retry_after(response: httpx.Response) -> timedelta | None:
    """Retry-After in seconds, at most ten minutes; None where it is absent or a date."""
    text = response.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(text), _LONGEST_PAUSE_SECONDS)) if text.isascii() and text.isdigit() else None
