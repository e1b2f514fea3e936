"""The schedule of a run: which fault, where, when and for how long. Pure: a seed repeats it.

Faults come singly and several at once. They are drawn from a deck that has each of them once and is shuffled anew when
it is empty, so a run that is long enough has every one of them.
"""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")
SHOPS = ("e-sim-onl", "esimka", "qazaq-esim")
#: Calls whose answer is lost after they took effect, or that fail.
LOSABLE = (
    "bank.token",
    "bank.check_status",
    "bank.refund",
    "cashbox.authorize",
    "cashbox.check",
    "cashbox.history",
    "operator.download_order",
    "operator.confirm_order",
    "operator.cancel_order",
    "operator.usage",
    "operator.top_up",
    "operator.top_up_status",
    "airalo.token",
    "airalo.orders_async",
    "airalo.order_list",
    "airalo.sims",
    "airalo.refund",
    "mail",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault as the deck has it. `number`: its class in docs/reliability.md (0: none, an event of daily work).

    `seconds`: the shortest and the longest that it lasts. `targets`: one of them is struck.
    """

    name: str
    number: int
    seconds: tuple[float, float]
    targets: tuple[str, ...] = ("",)


KINDS = (
    Kind("kill", 1, (0.0, 2.0), SERVICES),
    Kind("kill amid the start", 1, (0.1, 2.5), SERVICES),
    Kind("kill all", 1, (0.0, 1.0)),
    Kind("broker killed", 2, (0.0, 3.0)),
    Kind("broker restarted", 2, (0.0, 1.0)),
    Kind("broker paused", 2, (1.0, 10.0)),
    Kind("rebalance storm", 3, (3.0, 8.0), SERVICES),
    Kind("postgres killed", 4, (0.0, 2.0)),
    Kind("postgres restarted", 4, (0.0, 1.0)),
    Kind("postgres paused", 4, (1.0, 8.0)),
    Kind("connections cut at commit", 5, (2.0, 6.0)),
    Kind("connections cut", 5, (2.0, 6.0), ("kafka", "postgres", "sandbox", "smtp")),
    Kind("connections half open", 5, (2.0, 12.0), ("kafka", "postgres", "sandbox", "smtp")),
    Kind("replies lost", 6, (4.0, 10.0), LOSABLE),
    Kind("timeouts", 7, (4.0, 10.0), LOSABLE),
    Kind("too many requests", 7, (3.0, 6.0), LOSABLE[:-1]),
    Kind("server errors", 7, (3.0, 8.0), LOSABLE[:-1]),
    Kind("partial bodies", 7, (3.0, 8.0), LOSABLE),
    Kind("duplicate webhooks", 8, (4.0, 10.0)),
    Kind("replay from offset 0", 8, (0.0, 0.5), SERVICES),
    Kind("webhooks late", 9, (4.0, 10.0)),
    Kind("answers late", 9, (4.0, 10.0), ("bank.check_status", "operator.confirm_order", "cashbox.check")),
    Kind("clock moved", 10, (5.0, 15.0), SERVICES),
    Kind("bad records", 11, (2.0, 6.0)),
    Kind("disk full", 12, (2.0, 5.0), ("kafka", "postgres")),
    Kind("service stopped", 13, (5.0, 20.0), SERVICES),
    Kind("service frozen", 13, (0.5, 8.0), SERVICES),
    Kind("forged webhooks", 14, (2.0, 6.0)),
    Kind("last release beside", 15, (5.0, 12.0), SERVICES),
    Kind("taken over while frozen", 16, (4.0, 9.0), SERVICES),
    Kind("redeployed", 0, (1.0, 2.0), SERVICES),
    Kind("shop's receiver away", 0, (3.0, 8.0), SHOPS),
    Kind("erasure", 0, (0.0, 0.1)),
)
#: Only where there are three brokers, or a standby of the database server.
OF_A_CLUSTER = (
    Kind("broker lost", 2, (8.0, 16.0), ("kafka-1", "kafka-2", "kafka-3")),
    Kind("broker cut off", 2, (4.0, 14.0), ("kafka", "kafka-2", "kafka-3")),
    Kind("two brokers killed", 2, (1.0, 4.0)),
)
OF_A_STANDBY = (
    Kind("primary lost", 4, (1.0, 6.0)),
    Kind("standby killed", 4, (1.0, 4.0)),
)
#: Where other tests share the servers, and the product afterwards: nothing that they would notice.
OF_SERVICES = (
    "kill",
    "kill amid the start",
    "kill all",
    "rebalance storm",
    "replies lost",
    "timeouts",
    "too many requests",
    "server errors",
    "partial bodies",
    "duplicate webhooks",
    "webhooks late",
    "answers late",
    "service stopped",
    "service frozen",
    "taken over while frozen",
    "redeployed",
    "shop's receiver away",
    "erasure",
)
BY_NAME = {kind.name: kind for kind in (*KINDS, *OF_A_CLUSTER, *OF_A_STANDBY)}
#: The first fault strikes when some orders are under way; the last one leaves time to be seen.
_FIRST_SECONDS = 4.0
_BETWEEN_SECONDS = (2.0, 9.0)
#: How many faults strike within the same moment, and how often.
_TOGETHER = ((1, 6), (2, 3), (3, 1))
_WITHIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a run. `at`: seconds from the beginning; `seed`: for what it chooses itself."""

    number: int
    kind: str
    target: str
    at: float
    seconds: float
    seed: int


def schedule(
    seed: int, seconds: float, only: Collection[str] = (), apart: float = 0.0, *, more: Sequence[Kind] = ()
) -> tuple[Fault, ...]:
    """The faults of a run of so many seconds, in the order of their beginnings. `only`: of these kinds alone.

    `apart`: each fault comes singly, at least so many seconds after the beginning of the one before. `more`: kinds
    beside the usual ones.
    """
    rng = random.Random(f"campaign/{seed}")
    deck = _deck(rng, [kind for kind in (*KINDS, *more) if not only or kind.name in only])
    faults: list[Fault] = []
    now = _FIRST_SECONDS
    while now < seconds:
        [together] = rng.choices([number for number, _ in _TOGETHER], [weight for _, weight in _TOGETHER])
        together = 1 if apart else together
        for _ in range(together):
            kind = next(deck)
            at = round(now + rng.uniform(0, _WITHIN_SECONDS) * (together > 1), 3)
            lasts = round(rng.uniform(*kind.seconds), 3)
            if at < seconds:
                faults.append(Fault(0, kind.name, rng.choice(kind.targets), at, lasts, rng.randrange(2**31)))
        now += apart + rng.uniform(*_BETWEEN_SECONDS)
    faults.sort(key=lambda fault: fault.at)
    return tuple(
        Fault(number, fault.kind, fault.target, fault.at, fault.seconds, fault.seed)
        for number, fault in enumerate(faults, 1)
    )


def _deck(rng: random.Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    while True:
        yield from rng.sample(kinds, len(kinds))
