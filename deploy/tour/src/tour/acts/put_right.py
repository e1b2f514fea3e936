"""What could not be applied waits for a person, who puts it right with the command line."""

import asyncio
import os
import sys
from pathlib import Path

from local_stack.paths import WORK_TREE
from shared.contracts import orders_topic
from tour import troubles
from tour.expectations import Outcome, UnmetError, until
from tour.orders import Order, Paid
from tour.stage import Stage

NAME = "Put right by a person"
WORDS = (
    "A paid order cannot be given a card number: the range that the operator allotted is used up. And a shop sends "
    "something that is no order. Both are put aside, nothing else waits, an alarm rings. A person looks, extends the "
    "range, and has the one applied as if it came now; the other is discarded, with a reason that is kept."
)
_FULFIL = Path(sys.executable).with_name("fulfil")


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Use the range up, pay, spoil a record; list, redrive, discard; then look into the ledgers."""
    before = await stage.begin()
    async with troubles.used_up(stage.stack.state.owner_databases["provisioning"]):
        paid = await _pay(stage, outcome)
        await troubles.spoil(stage.stack.state)
        listed = await _listed(stage, paid.order)
    stage.narrator.say("The range is extended; the letters still wait for somebody who decides.")
    ours = next(line.split()[0] for line in listed if paid.order.id in line)
    other = next(line.split()[0] for line in listed if orders_topic(troubles.SHOP) in line)
    redriven = await _fulfil(stage, "dead-letters", "redrive", ours, "--reason", "the range is extended", "--yes")
    discarded = await _fulfil(stage, "dead-letters", "discard", other, "--reason", "no order; the shop knows", "--yes")
    outcome.expect(redriven[0].startswith("redriven"), "the paid order is applied again", "provisioning")
    outcome.expect(discarded[0].startswith("discarded"), "what is no order is discarded", "ordering")
    stage.narrator.quote(
        [
            f'$ fulfil dead-letters redrive {ours} --reason "the range is extended"',
            *redriven,
            f'$ fulfil dead-letters discard {other} --reason "no order; the shop knows"',
            *discarded,
        ]
    )
    with stage.narrator.step("Waiting for the mail, then looking into the ledgers") as step:
        await stage.mail_to(paid.order)
        await stage.reaches(paid.order, "delivered")
        outcome.delivered += 1
        await stage.check_delivered(outcome, [paid], before)
        if outcome.ok:
            step.done(f"Order {paid.order.number} is delivered: one payment, one profile, one mail")
        else:
            step.failed("The ledgers do not agree")


async def _pay(stage: Stage, outcome: Outcome) -> Paid:
    shop = await stage.buying.shop(troubles.SHOP)
    with stage.narrator.step(f"{shop.name}: Lena orders") as step:
        paid = await troubles.buy(stage.buying, stage.address("Lena"))
        outcome.orders += 1
        step.done(f"{shop.name}: order {paid.order.number}, {paid.order.plan}, is paid: {paid.order.price}")
    return paid


async def _listed(stage: Stage, order: Order) -> list[str]:
    """What the command line lists, once both letters are there."""

    async def look() -> list[str] | None:
        lines = await _fulfil(stage, "dead-letters", "list")
        text = "\n".join(lines)
        return lines if order.id in text and orders_topic(troubles.SHOP) in text else None

    with stage.narrator.step("fulfil dead-letters list") as step:
        lines = await until(look, "both records are put aside", "provisioning", "ordering", every=0.2)
        if troubles.NOBODY in "\n".join(lines):
            raise UnmetError("expected that the listing tells nothing of a buyer", "ordering")
        step.done("Two dead letters wait; what may be personal is sealed, and the listing tells nothing of it")
    stage.narrator.quote(
        ["$ fulfil dead-letters list", *(" ".join(line.split()[:4]).rstrip(":") for line in lines[1:])]
    )
    return lines


async def _fulfil(stage: Stage, *words: str) -> list[str]:
    """Lines of the real command on this stack. Raises UnmetError where it cannot be run."""
    process = await asyncio.create_subprocess_exec(
        _FULFIL,
        *words,
        cwd=WORK_TREE,
        env={**os.environ, "FULFIL_STACK": stage.stack.name},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    lines = out.decode().splitlines()
    if not lines or err:
        raise UnmetError(f"expected that `fulfil {words[0]}` answers, but: {err.decode().strip() or 'nothing'}")
    return lines
