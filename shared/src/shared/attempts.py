"""Whether the attempt at a task that is under way may still call the outside.

A process that was frozen longer than its lease wakes up in the middle of attempts that others have repeated, perhaps
completed. Its results change nothing (fencing), but its next call would: a cancellation, a second order. So each call
asks right before its first byte is sent, over HTTP (`shared.kernel.outbound`) and over SMTP.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

#: Set by the performer for each attempt. None: no task is performed here (a request, a loop), and nothing is asked.
lease: ContextVar[Callable[[], Awaitable[bool]] | None] = ContextVar("lease", default=None)


class LeaseLostError(Exception):
    """Another process has the task of this attempt. The attempt ends, and nothing is recorded of it."""


async def require_lease() -> None:
    """Return if the attempt may call the outside; waits while the heartbeat is late. Raises LeaseLostError."""
    holds = lease.get()
    if holds is not None and not await holds():
        raise LeaseLostError
