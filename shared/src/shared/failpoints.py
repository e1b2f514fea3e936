"""Named places at which a test kills the process as `kill -9` does.

`FAILPOINTS="work.after_call=1,consumer.before_commit=3"` kills this process at the first and third visit.
Without the variable a visit costs one attribute test.
"""

import os
import signal
from collections import Counter

#: Every point in shared; a fault test visits each of them in each service.
POINTS = (
    "http.before_commit",
    "http.after_commit",
    "consumer.before_commit",
    "consumer.after_commit",
    "outbox.before_send",
    "outbox.after_send",
    "relay.before_send",
    "relay.after_send",
    "claim.before_commit",
    "claim.after_commit",
    "work.before_call",
    "work.after_call",
    "work.before_commit",
    "work.after_commit",
    # payments: the intent to return money, stored before the bank is called
    "refund_intent.before_commit",
    "refund_intent.after_commit",
    # ordering: what receivers answered to a group of webhooks
    "webhooks.before_commit",
    "webhooks.after_commit",
    # refunds: an e-mail, taken in and not yet marked in its mailbox
    "support_mail.before_commit",
    "support_mail.after_commit",
    # a dead letter that a person has tried again
    "redrive.before_commit",
    "redrive.after_commit",
)


def _parse(text: str) -> dict[str, int]:
    chosen = {}
    for part in filter(None, text.split(",")):
        name, _, visit = part.partition("=")
        if name not in POINTS:
            raise ValueError(f"FAILPOINTS names {name!r}; known points: {', '.join(POINTS)}")
        chosen[name] = int(visit or 1)
    return chosen


_armed = _parse(os.environ.get("FAILPOINTS", ""))
_visits: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Kill this process, without any clean-up, if this visit is the configured one."""
    if _armed and name in _armed:
        _visits[name] += 1
        if _visits[name] == _armed[name]:
            os.kill(os.getpid(), signal.SIGKILL)
