"""The operator loses a reply, then the first operator is ill; and a profile lives until its data is used up."""

from sandbox.client import JsonObject
from tour import codes
from tour.emails import Email
from tour.expectations import Outcome, UnmetError, until
from tour.ledgers import Entry
from tour.orders import Buyer, Paid
from tour.stage import Stage

NAME = "Profiles"
WORDS = (
    "The operator makes a profile and its answer gets lost, twice: whoever simply asks again would buy a second one. "
    "Then the first operator answers nothing but 503, and the second one, which sells the same plan, stands in. Last, "
    "a phone scans the first buyer's code, and the platform follows the profile until its data is used up."
)
_SHOP, _PLAN = "qazaq-esim", "eu-10gb-30d"
_LOST = tuple(
    {"target": f"operator.{function}", "effect": "lose_reply", "times": 1}
    for function in ("download_order", "confirm_order")
)
_FAILED = {"effect": "http_error", "status": 503, "match": {"operator": "primary"}}
_FUNCTIONS = ("download_order", "confirm_order", "cancel_order", "release_profile", "usage")
_PHONE, _OTHER_PHONE = "89049032000000000000000000000163", "89049032000000000000000000000260"
_GIGABYTE = 1024**3
_SECOND_DEVICE = ["8.1.1", "3.10"]


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Lose replies, fail over, live; the operators' ledgers judge."""
    before = await stage.begin()
    try:
        await stage.sandbox.faults(*_LOST)
        first, mail = await _buy(stage, outcome, "Dana", "the operator's answers get lost")
        await stage.sandbox.clear_faults()
        await _one_profile(stage, outcome, mail)
        await stage.sandbox.faults(*(_FAILED | {"target": f"operator.{function}"} for function in _FUNCTIONS))
        second, other = await _buy(stage, outcome, "Erlan", "the first operator is ill")
        await _stood_in(stage, outcome, other)
    finally:
        await stage.sandbox.clear_faults()
    await stage.check_delivered(outcome, [first, second], before)
    await _live(stage, outcome, first, str(mail.code))


async def _buy(stage: Stage, outcome: Outcome, name: str, trouble: str) -> tuple[Paid, Email]:
    shop = await stage.buying.shop(_SHOP)
    with stage.narrator.step(f"{shop.name}: {name} orders, and {trouble}") as step:
        order = await stage.buying.order(_SHOP, _PLAN, Buyer(name, stage.address(name), "+77017778899", "en"))
        paid = await stage.buying.pay(await stage.buying.page(order))
        outcome.orders += 1
        mail = await stage.mail_to(order)
        if mail.code is None:
            raise UnmetError(f"expected that the mail for order {order.number} has a readable QR code", "notifications")
        await stage.reaches(order, "delivered")
        outcome.delivered += 1
        seconds = (mail.at - paid.at).total_seconds()
        step.done(f"{shop.name}: order {order.number} is delivered after {seconds:.1f} s, though {trouble}")
    return paid, mail


async def _profile(stage: Stage, mail: Email) -> Entry:
    """The profile that the code in the mail opens, in the operators' ledgers."""
    key = codes.matching_id(str(mail.code))
    held = [one for one in await stage.sandbox.ledger_operator() if one["matchingId"] == key]
    if len(held) != 1:
        raise UnmetError(f"expected that one operator has the profile of mail {mail.id}", "provisioning")
    return held[0]


async def _one_profile(stage: Stage, outcome: Outcome, mail: Email) -> None:
    profile = await _profile(stage, mail)
    calls = [(one["function"], _code(one)) for one in profile["calls"]]
    performed = ", ".join(f"{function} {code}" for function, code in calls)
    again = [code for _, code in calls if code != "done"]
    outcome.expect(profile["operator"] == "primary", "the first operator made the profile", "provisioning")
    outcome.expect(bool(again), "the operator was asked again for what it had done", "provisioning")
    stage.narrator.say(f"The operator's ledger has one profile, {profile['iccid']}, and these calls: {performed}.")


async def _stood_in(stage: Stage, outcome: Outcome, mail: Email) -> None:
    profile = await _profile(stage, mail)
    outcome.expect(profile["operator"] == "secondary", "the second operator made the profile", "provisioning")
    stage.narrator.say(f"The second operator's ledger has profile {profile['iccid']}; the first one's has none of it.")


async def _live(stage: Stage, outcome: Outcome, paid: Paid, code: str) -> None:
    sandbox = stage.sandbox
    with stage.narrator.step("A phone scans the code") as step:
        iccid = (await stage.buying.life(paid.order))["iccid"]
        path = ["released"]
        for move in ("download", "install", "enable"):
            seen = await sandbox.scan(code, _PHONE, move)
            outcome.expect(bool(seen["ok"]), f"the phone can {move} the profile", "sandbox")
            path.append(seen["installState"])
            await _knows(stage, paid, seen["installState"])
        step.done(f"Profile {iccid}: {' → '.join(path)}, each reported by the operator and shown at once")
    with stage.narrator.step("A second phone scans it too") as step:
        seen = await sandbox.scan(code, _OTHER_PHONE)
        outcome.expect([seen.get("subjectCode"), seen.get("reasonCode")] == _SECOND_DEVICE, "it is refused", "sandbox")
        life = await stage.buying.life(paid.order)
        outcome.expect(life["eid"] == _PHONE, "the profile stays with the first phone", "provisioning")
        step.done("A second phone is refused (8.1.1/3.10): a profile stays with the first device (RC 8)")
    with stage.narrator.step("The buyer uses it") as step:
        total = (await _used(stage, paid, iccid, _GIGABYTE))["total_bytes"] or 10 * _GIGABYTE
        life = await _used(stage, paid, iccid, total)
        used, source = life["used_bytes"]["value"], life["used_bytes"]["source"]
        outcome.expect(used == total, "all data is used", "provisioning")
        outcome.expect(life["plan_ends_at"] is not None, "the plan's validity runs from the first use", "provisioning")
        step.done(f"Used up: {used / _GIGABYTE:.0f} of {total / _GIGABYTE:.0f} GB, reported by the {source}, signed")


async def _knows(stage: Stage, paid: Paid, state: str) -> None:
    async def look() -> bool | None:
        return (await stage.buying.life(paid.order))["install"]["value"] == state or None

    await until(look, f"provisioning knows that the profile is {state}", "provisioning")


async def _used(stage: Stage, paid: Paid, iccid: str, used_bytes: int) -> JsonObject:
    await stage.sandbox.use_data(iccid, used_bytes)

    async def look() -> JsonObject | None:
        life = await stage.buying.life(paid.order)
        return life if life["used_bytes"]["value"] == used_bytes else None

    return await until(look, f"provisioning knows of {used_bytes} used bytes", "provisioning")


def _code(call: Entry) -> str:
    return "done" if call["status"] != "Failed" else f"{call['subjectCode']}/{call['reasonCode']}"
