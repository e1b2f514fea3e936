"""The companies outside answer in hostile form: mail server, bank, operators, reseller, cash register, messengers.

The attacks store faults in the sandbox. Faults of the mail server concern the mails of chosen buyers only, so that all
other mails pass. A fault of another company replaces one answer, to whichever caller comes next. Every order has to end
in both cases (`AwaitedOrder.ends` says how).
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from hostile import values
from hostile.context import Context
from hostile.good import ENDED, AwaitedOrder
from tour.expectations import UnmetError
from tour.orders import Buyer

_MAIL = "a mail server's replies"
#: A rule of the sandbox (sandbox.faults.Rule), as its control interface takes it.
Fault = Mapping[str, Any]

#: Replies of a mail server, each character one byte. After the data they leave open whether the mail was taken.
ODD_REPLIES: tuple[Fault, ...] = (
    {"message": "999 5.1.1 odd\r\n"},
    {"message": "100 odd\r\n"},
    {"message": "-55 odd\r\n"},
    {"message": "\x00\x00\x00 \x00\r\n"},
    {"message": "\xff\xfe\xed\xa0\x80\r\n"},
    {"message": "no code at all\r\n"},
    {"message": "2" * 60_000, "repeat": 16, "seconds": 0},
    {"message": "250-more\r\n" * 5_000, "repeat": 1_000, "seconds": 0},
    {"message": "2", "repeat": 5, "seconds": 1},
    {"message": "250 ok\r\n354 go on\r\n250 queued\r\n550 5.1.1 no\r\n"},
    {"message": ""},
    {"message": "421 4.3.2 \x00\r\n"},
    {"message": "451 4.999.9999 \xff\r\n"},
    {"message": "450 9.9.9 odd\r\n"},
)
#: Refusals for good: the eSIM waits on the account page for a mailbox that takes its mail.
REFUSALS: tuple[Fault, ...] = (
    {"message": "550 5.1.1 \x00\xff\r\n"},
    {"message": "550-5.1.1 no\r\n550 5.1.1 really\r\n"},
    {"message": "554 9.9.9 odd\r\n"},
    {"message": "599\r\n"},
    {"message": "550 5.1.1 no\r\n250 ok\r\n"},
)
STAGES = ("rcpt", "begin", "data")

_TEXT = "a\\u0000b\\ud800 \\u202egnp.exe" + "z" * 20_000
_JSON = {"content-type": "application/json"}
#: Answers over HTTP that are none.
ODD_ANSWERS: tuple[Fault, ...] = (
    {"effect": "http_error", "status": 200, "body": "<html>Welcome</html>", "headers": {"content-type": "text/html"}},
    {"effect": "http_error", "status": 200, "body": "", "headers": _JSON},
    {"effect": "http_error", "status": 200, "body": values.deep(100_000), "headers": _JSON},
    {"effect": "http_error", "status": 200, "body": '{"a": ' + "9" * 5_000 + "}", "headers": _JSON},
    {"effect": "http_error", "status": 200, "body": "[1, NaN, Infinity, -1e999]", "headers": _JSON},
    {"effect": "http_error", "status": 200, "body": "{}", "headers": {"content-encoding": "gzip"}},
    {"effect": "http_error", "status": 200, "body": "{}", "headers": {"content-encoding": "br"}},
    {"effect": "http_error", "status": 302, "headers": {"location": "http://xn--/"}},
    {"effect": "http_error", "status": 302, "headers": {"location": "http://127.0.0.1:9/"}},
    {"effect": "http_error", "status": 503, "headers": {"retry-after": "9" * 400}},
    {"effect": "http_error", "status": 503, "headers": {"retry-after": "-1"}},
    {"effect": "http_error", "status": 500, "body": f'{{"code": 18446744073709551616, "message": "{_TEXT}"}}'},
    {"effect": "http_error", "status": 599, "body": f'{{"ok": false, "description": "{_TEXT}"}}'},
    {"effect": "endless", "message": "x" * 60_000, "repeat": 3_500, "seconds": 0},
    {"effect": "endless", "message": " " * 60_000, "repeat": 100_000, "seconds": 0},
    {"effect": "endless", "message": "[", "repeat": 100, "seconds": 0.5},
    {"effect": "partial_body"},
)
#: What every order, or every third, passes.
ON_THE_WAY = (
    "bank.check_status",
    "operator.download_order",
    "operator.confirm_order",
    "cashbox.authorize",
    "cashbox.check",
)
#: The calls whose answers are replaced. The calls on the way to the bank's page are not among them: the buyer would see
#: the fault.
TARGETS = (
    *ON_THE_WAY,
    "operator.usage",
    "airalo.token",
    "airalo.orders",
    "airalo.orders_async",
    "airalo.order_list",
    "airalo.sims",
    "airalo.usage",
    "cashbox.history",
    "telegram.send",
    "whatsapp.send",
    "sms.send",
)


async def mail_server(context: Context) -> None:
    """An order whose mails the server answers badly, once or a few times, at one stage of the dialogue."""
    rng = context.rng
    if not context.mail_faults.take():
        return
    for_good = rng.random() < 0.3
    reply = rng.choice(REFUSALS if for_good else ODD_REPLIES)
    stage = rng.choice(STAGES)
    address = f"m{secrets.token_hex(8)}@hostile.example"
    times = None if for_good else rng.choice([1, 1, 2])
    fault = {"target": "mail", "effect": "raw_reply", "stage": stage, "match": {"to": address}, "times": times, **reply}
    await context.sandbox.faults(fault)
    buyer = Buyer("Hostile", address, f"+7702{rng.randrange(10**7):07d}", "en")
    try:
        shop = await context.buying.shop(rng.choice(context.target.shops))
        order = await context.buying.order(shop.slug, rng.choice(shop.plans), buyer)
        paid = await context.buying.pay(await context.buying.page(order))
    except UnmetError as error:
        context.findings.found(_MAIL, "an order beside could not be bought", fault, str(error))
        return
    context.findings.answered(_MAIL, f"{stage}: {'refused for good' if for_good else 'odd'}")
    ends = ENDED | {"delivery_failed"} if for_good else ENDED
    context.odd_mails.append(AwaitedOrder(paid.order, ends, json.dumps(fault)))


async def answers(context: Context) -> None:
    """One odd answer of one company, to the next call."""
    if not context.answer_faults.take():
        return
    targets = ON_THE_WAY if context.rng.random() < 0.6 else TARGETS
    await context.sandbox.faults({"target": context.rng.choice(targets), **context.rng.choice(ODD_ANSWERS), "times": 1})


async def end_faults(context: Context) -> None:
    """Count the faults that were used, and remove all of them."""
    for rule in await context.sandbox.active_faults():
        for _ in range(rule["hits"]):
            context.findings.answered(f"answers of {rule['target']}", rule["effect"])
    await context.sandbox.clear_faults()
