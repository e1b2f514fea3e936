"""Random sequences of attempts, webhooks, lost replies, refunds, payments by hand and crashes.

Our ledger equals the bank's, every time. The service is a process of its own, which a step may kill at a named
failpoint or at any moment. `make test` runs a few sequences, always the same; `make soak` runs many, with a seed that
it prints: SOAK_EXAMPLES and SOAK_SEED.
"""

import json
import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.payments.tests.properties.conftest import World

#: As the world has them (conftest.py).
Step = tuple[Json, ...]
SOAK = int(os.environ.get("SOAK_EXAMPLES", "0"))
ORDERS, PRICE = 6, 500000
CARDS = ("success", "poor", "unsure", "progress", "held")
#: Where the process may die; each at its first to third visit.
DEATHS = (
    "http.before_commit",
    "http.after_commit",
    "consumer.before_commit",
    "consumer.after_commit",
    "outbox.before_send",
    "outbox.after_send",
    "work.before_call",
    "work.after_call",
    "work.before_commit",
    "work.after_commit",
    "refund_intent.before_commit",
    "refund_intent.after_commit",
)

_replies = st.sampled_from(
    [
        {"effect": "lose_reply"},
        {"effect": "drop"},
        {"effect": "partial_body"},
        {"effect": "delay", "seconds": 0.8},
        {"effect": "latency", "seconds": 0.8},
        {"effect": "http_error", "status": 502},
        {"effect": "http_error", "status": 429},
        {"effect": "http_error", "status": 401},
        {"effect": "duplicate"},
    ]
)
_refund = st.tuples(
    st.just("refund"),
    st.sampled_from([PRICE, PRICE // 2, 100000, 100000, 50000, 1000, 999, PRICE + 1]),
    st.booleans(),
    st.integers(1, 2),
)
#: How an order begins: paid at once, after a refusal, in the end, or twice.
_beginnings: st.SearchStrategy[list[Step]] = st.sampled_from(
    [
        [("pay", "progress"), ("expire",), ("pay", "success"), ("settle", "CHARGE")],
        [("pay", "progress"), ("expire",), ("pay", "held"), ("settle", "AUTH")],
        [("pay", "success")],
        [("pay", "poor"), ("pay", "held")],
        [("pay", "progress"), ("settle", "CHARGE")],
        [("pay", "unsure")],
    ]
)
#: What else may befall it, in any order.
_turns: st.SearchStrategy[Step] = st.one_of(
    _refund,
    _refund,
    st.tuples(st.just("resend"), st.integers(1, 4), st.sampled_from([{}, {"code": "error"}, {"code": "ok"}])),
    st.tuples(st.just("forge"), st.booleans()),
    st.tuples(st.just("settle"), st.sampled_from(["CHARGE", "AUTH", "FAILED"])),
    st.tuples(st.just("pay"), st.sampled_from(CARDS)),
    st.just(("expire",)),
    st.just(("retry",)),
    st.tuples(st.just("hand"), st.sampled_from([PRICE, 100000, 999]), st.booleans()),
)
_lives = st.tuples(_beginnings, st.lists(_turns, min_size=3, max_size=7)).map(lambda parts: [*parts[0], *parts[1]])
_faults: st.SearchStrategy[Step] = st.one_of(
    st.tuples(
        st.just("fault"),
        st.sampled_from(
            ["bank.refund", "bank.refund", "bank.charge", "bank.cancel", "bank.check_status", "bank.token"]
        ),
        _replies,
        st.integers(1, 2),
    ),
    st.tuples(
        st.just("fault"),
        st.just("bank.webhook"),
        st.sampled_from([{"effect": "drop"}, {"effect": "duplicate", "count": 3}, {"effect": "delay", "seconds": 0.3}]),
        st.integers(1, 3),
    ),
    st.tuples(st.just("refuse"), st.sampled_from(["bank.refund", "bank.charge", "bank.cancel"])),
    st.tuples(st.just("pause"), st.integers(1, 5)),
)
_deaths: st.SearchStrategy[Step] = st.one_of(
    st.just(("kill",)), st.tuples(st.just("die"), st.sampled_from(DEATHS), st.integers(1, 3))
)
_behaviours = st.fixed_dictionaries(
    {
        "deduplicate_refunds": st.booleans(),
        "partial_refund_status": st.sampled_from(["CHARGE", "REFUND"]),
        "amount_after_refund": st.sampled_from(["original", "remaining"]),
    }
)
_scripts = st.tuples(
    _behaviours,
    st.lists(_lives, min_size=ORDERS, max_size=ORDERS),
    st.lists(_faults, min_size=10, max_size=24),
    st.lists(_deaths, min_size=1, max_size=3 if SOAK else 1),
    st.integers(0, 2**32 - 1),
).map(lambda parts: (parts[0], _mixed(*parts[1:])))


def _mixed(lives: list[list[Step]], faults: list[Step], deaths: list[Step], number: int) -> list[Step]:
    """One sequence: every life in its own order, faults and deaths anywhere between."""
    chance = random.Random(number)  # noqa: S311 - chosen by Hypothesis
    sequences = [[(name, index, *rest) for name, *rest in life] for index, life in enumerate(lives)]
    sequences += [[fault] for fault in faults] + [[death] for death in deaths]
    turns = [index for index, sequence in enumerate(sequences) for _ in sequence]
    chance.shuffle(turns)
    return [sequences[index].pop(0) for index in turns]


@pytest.mark.long
@settings(
    max_examples=SOAK or 3,
    derandomize=not SOAK,
    database=None,
    deadline=None,
    print_blob=True,
    # Every step of shrinking would play a whole sequence: the script that failed is printed instead.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(script=_scripts)
@pytest.mark.timeout(0 if SOAK else 600)
async def test_our_ledger_is_the_banks_whatever_happens(world: "World", script: tuple[JsonObject, list[Step]]) -> None:
    behaviour, steps = script
    note(f"the bank: {json.dumps(behaviour)}")
    await world.play(behaviour, steps)
    await world.settle()
    await world.judge()
    await world.judge_events()
