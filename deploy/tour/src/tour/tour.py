"""The whole tour: a fresh stack, the acts in their order, the table and summary.json."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from local_stack.component import RunningComponent
from local_stack.errors import ComponentFailedError, LocalStackError
from local_stack.paths import WORK_TREE, run_dir
from local_stack.product import PRODUCT
from local_stack.stack import Stack
from local_stack.zipkin import WITH_TRACES
from tour import summary
from tour.acts import buyer, kill, money, operator_down, profiles, put_right, refunds, storefronts, watching
from tour.buying import buying_at
from tour.expectations import NotShownError, Outcome, UnmetError
from tour.narrator import Narrator, OnlyTheStart
from tour.stage import Stage, environment, impatient_shops

STACK = "demo"
_WELCOME = (
    "A guided tour of the eSIM platform: a real Kafka, a real Postgres, five services with a database each, a sixth "
    "process that watches them, and a sandbox that plays bank, cash register, operator, mail server and SMS gateway. "
    "A few acts, about a minute."
)


@dataclass(frozen=True, slots=True)
class Act:
    """What an act is called, what is said before it, and what it does."""

    name: str
    words: str
    perform: Callable[[Stage, Outcome], Awaitable[None]]


_IN_ORDER = (storefronts, profiles, operator_down, money, refunds, put_right, kill, buyer, watching)
#: What acts leave to be looked at.
_KEPT = (storefronts.PICTURE, operator_down.MAIL, buyer.ACCOUNT, buyer.ERASED)
ACTS = tuple(Act(module.NAME, module.WORDS, module.perform) for module in _IN_ORDER)


async def run(*, stay: bool = False) -> int:
    """Perform everything; returns the exit code. `stay` keeps the stack until the person ends it."""
    narrator = Narrator()
    # Who stays wants to look at traces; who does not, not to wait for another Java to start beside the rest.
    components = WITH_TRACES if stay else PRODUCT
    changed = environment(impatient_shops(run_dir(STACK) / "shops"))
    stack = Stack(STACK, environment=changed, fresh=True, progress=OnlyTheStart(), components=components)
    for left in (summary.FILE, *_KEPT):
        (stack.directory / left).unlink(missing_ok=True)
    narrator.title(_WELCOME)
    try:
        await stack.up()
    except LocalStackError as error:
        _explain(narrator, error)
        return 1
    try:
        outcomes = await _perform_all(stack, narrator)
        _conclude(stack, narrator, outcomes)
        if stay:
            await _stay(stack, narrator)
    finally:
        with narrator.step("Stopping") as step:
            await stack.down()
            step.done("Stopped. `make up` starts a stack that stays, with pages to look at")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


async def _perform_all(stack: Stack, narrator: Narrator) -> list[Outcome]:
    outcomes = []
    async with buying_at(stack.state) as (buying, sandbox):
        stage = Stage(stack, buying, sandbox, narrator, stack.directory)
        for number, act in enumerate(ACTS, 1):
            narrator.act(number, len(ACTS), act.name, act.words)
            outcomes.append(await _perform(act, stage))
    return outcomes


async def _perform(act: Act, stage: Stage) -> Outcome:
    """One act; whatever goes wrong in it is its outcome, and the next one is performed all the same."""
    outcome = Outcome(act.name)
    began = time.monotonic()
    try:
        await act.perform(stage, outcome)
    except* NotShownError as group:
        outcome.not_shown = "; ".join(str(error) for error in _leaves(group))
        stage.narrator.not_shown(outcome.not_shown)
    except* UnmetError as group:
        for unmet in _leaves(group):
            outcome.failed(str(unmet), *(unmet.logs if isinstance(unmet, UnmetError) else ()))
    except* (LocalStackError, httpx.HTTPError, OSError, RuntimeError, LookupError, ValueError) as group:
        for error in _leaves(group):
            outcome.failed(f"{type(error).__name__}: {error}", "sandbox")
    outcome.seconds = time.monotonic() - began
    for name, part in stage.stack.parts.items():
        if not part.running:
            outcome.failed(f"{name} is not running any more", name)
            if isinstance(part, RunningComponent):
                await _revive(stage.stack, name)
    for sentence in outcome.unmet:
        stage.narrator.wrong(sentence)
    return outcome


async def _revive(stack: Stack, name: str) -> None:
    """The next act deserves a whole stack."""
    try:
        await stack.start(name)
    except LocalStackError:
        return


def _conclude(stack: Stack, narrator: Narrator, outcomes: list[Outcome]) -> None:
    written = summary.write(stack.directory, summary.summary(outcomes, _addresses(stack)))
    narrator.result(outcomes)
    for outcome in outcomes:
        if outcome.not_shown is not None:
            narrator.line(f"“{outcome.name}” is not shown here: {outcome.not_shown}")
        if not outcome.ok:
            narrator.line(f"“{outcome.name}” did not end as expected:")
            for sentence in outcome.unmet:
                narrator.line(f"  {sentence}")
            for name in outcome.logs:
                narrator.line(f"  log of {name}: {stack.log(name)}")
    kept = [written, *(stack.directory / name for name in _KEPT)]
    narrator.line("Kept: " + ", ".join(str(path.relative_to(WORK_TREE)) for path in kept if path.exists()))


def _addresses(stack: Stack) -> dict[str, str]:
    base = {component.name: stack.url(component.name) for component in stack.components}
    return summary.addresses(stack.components, base)


async def _stay(stack: Stack, narrator: Narrator) -> None:
    narrator.line("The stack stays until Ctrl-C:")
    for name, url in _addresses(stack).items():
        narrator.line(f"  {name:<14} {url}")
    await asyncio.Event().wait()


def _explain(narrator: Narrator, error: LocalStackError) -> None:
    if isinstance(error, ComponentFailedError) and error.log_tail:
        narrator.line(error.log_tail)
    narrator.wrong(str(error))


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for one in group.exceptions:
        found += _leaves(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found
