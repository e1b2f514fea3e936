"""How often the reseller lets itself be asked, and when it has had enough."""

import time
from collections import deque

from sandbox.airalo import wire
from sandbox.exchange import Reply
from sandbox.settings import Settings

_MINUTE = 60.0


class Limits:
    """Tokens and usage per minute; and the suspension of a partner who calls too much (docs/wire/complaints.md)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.suspended = False
        self._calls: deque[float] = deque()
        self._tokens: deque[float] = deque()
        self._usage: dict[str, deque[float]] = {}

    def time(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def struck(self) -> Reply | None:
        """Count one call; the answer to everybody who is suspended."""
        settings = self._settings
        calls = _within(self._calls, self.time(), settings.airalo_suspension_window_seconds)
        if calls > settings.airalo_suspension_calls:
            self.suspended = True
        return wire.message(403, "Your account has been suspended.") if self.suspended else None

    def may_have_token(self) -> bool:
        """Three a minute."""
        return _within(self._tokens, self.time(), _MINUTE) <= self._settings.airalo_tokens_per_minute

    def may_ask_usage(self, iccid: str) -> bool:
        """Ten a minute for each eSIM."""
        asked = self._usage.setdefault(iccid, deque())
        return _within(asked, self.time(), _MINUTE) <= self._settings.airalo_usage_per_minute

    def clear(self) -> None:
        """Nothing has been asked yet."""
        self.suspended = False
        self._calls.clear()
        self._tokens.clear()
        self._usage.clear()


def _within(asked: deque[float], now: float, seconds: float) -> int:
    """How often it was asked within so many seconds, this time included."""
    while asked and asked[0] <= now - seconds:
        asked.popleft()
    asked.append(now)
    return len(asked)
