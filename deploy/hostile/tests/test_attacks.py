"""The attacks' own material: what they make, from a seed, and the limits that they keep to."""

import random

import pytest

from hostile.attacks import outside, own_topics
from hostile.budget import Budget
from sandbox.faults import Rule
from shared.contracts import EVENTS


def test_a_budget_is_not_overdrawn() -> None:
    budget = Budget(3, 60)
    assert [budget.take(2), budget.take(2), budget.take(), budget.take()] == [True, False, True, False]
    assert Budget(1, 0).take()


@pytest.mark.parametrize("topic", own_topics.TOPICS)
def test_every_topic_of_ours_gets_odd_records_that_a_seed_repeats(topic: str) -> None:
    def made(seed: int) -> list[bytes]:
        rng = random.Random(seed)  # noqa: S311 - a seed repeats its input
        return [
            part
            for _ in range(30)
            for part in (own_topics.spoiled_fact(rng, topic), own_topics.raw(rng, topic).packed or b"")
        ]

    assert made(1) == made(1) != made(2)
    assert own_topics.owner(topic) == EVENTS[topic].owner()


@pytest.mark.parametrize(
    "fault",
    [
        *({"target": target, **rule} for target in outside.TARGETS for rule in outside.ODD_ANSWERS),
        *({"target": "mail", "effect": "raw_reply", "stage": stage, **rule}
          for stage in outside.STAGES for rule in (*outside.ODD_REPLIES, *outside.REFUSALS)),
    ],
)  # fmt: skip
def test_the_sandbox_accepts_every_fault(fault: outside.Fault) -> None:
    Rule.model_validate(fault)
