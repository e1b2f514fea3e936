"""The same calls to operator and mail server, made with no engine: nothing is stored, nothing can be recovered.

`python -m bench.baseline` is one of its two processes; it uses the services' own adapters and templates.
"""

import asyncio
import json
import secrets
import sys
import time
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import uvloop
from aiosmtplib import SMTP
from prometheus_client import CollectorRegistry

from bench.driver import PLAN
from local_stack.paths import shops_dir
from local_stack.stack import Stack
from notifications.clients.mail import Mail
from notifications.clients.smtp import SmtpMailer
from notifications.emails.models.content import ActivationCodeEmail
from notifications.emails.rules.message import message, recipient
from notifications.emails.rules.render import render_activation_code
from notifications.storefronts import Storefronts
from provisioning.clients.context import ClientContext
from provisioning.clients.es2plus.client import Es2PlusOperator
from provisioning.clients.http_calls import calls_counter
from provisioning.clients.models import ProfileOrder
from provisioning.clients.unparsed_fields import UnparsedFields
from provisioning.operators.rules.identifiers import iccid, matching_id
from provisioning.settings import OperatorSettings
from shared.clock import SystemClock
from shared.database import Database
from shared.outcomes import Done
from shared.shops.files import ShopFiles
from shared.telemetry.tracing import Tracing
from shared.values.activation_code import ActivationCode

_PROCESSES = 2
_TOGETHER = 64


async def calls_without_an_engine(stack: Stack, count: int) -> float:
    """Orders per second of two processes that do nothing but the calls."""
    share = count // _PROCESSES
    options = {"operator": f"{stack.url('sandbox')}/operator", "smtp": stack.state.ports["smtp"], "count": share}
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.baseline", json.dumps(options), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(_PROCESSES)
    ]
    printed = await asyncio.gather(*(child.communicate() for child in children))
    spans = [json.loads(output) for output, _ in printed]
    return share * _PROCESSES / float(max(span["ended"] for span in spans) - min(span["began"] for span in spans))


async def _calls(options: dict[str, Any]) -> dict[str, float]:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")  # adapters may have a memory; this one has none
    registry = CollectorRegistry()
    tracing = Tracing("baseline", ratio=0)
    tools = ClientContext(tracing, calls_counter(registry), SystemClock(), database, UnparsedFields(registry))
    operator = Es2PlusOperator(OperatorSettings(name="baseline", url=options["operator"]), tools)
    mailer = SmtpMailer(
        lambda: SMTP(hostname="127.0.0.1", port=options["smtp"], local_hostname="bench.example", start_tls=False),
        connections=8,
        final_timeout_seconds=60,
    )
    store = Storefronts(ShopFiles(shops_dir()))["esimka"]
    first = secrets.randbelow(10**8) + 10**9
    numbers = iter(range(options["count"]))

    def compose(number: int, profile: str, code: str) -> bytes:
        letter = ActivationCodeEmail(
            store,
            "en",
            "Bench Buyer",
            str(number),
            plan=PLAN,
            code=ActivationCode.parse(code),
            confirmation_code=None,
            iccid=profile,
            apn="internet",
            valid_until=date(2027, 5, 19),
        )
        to = recipient("Bench Buyer", f"plain{number}@bench.example")
        return message(
            render_activation_code(letter), store, to, message_id=f"{first + number}@plain", date=datetime.now(UTC)
        )

    async def buyer() -> None:
        for number in numbers:
            profile = iccid("8999702", first + number)
            wanted = ProfileOrder(str(number), PLAN.profile_type, profile, matching_id(b"bench", profile))
            outcome = await operator.order(wanted, trace=None)
            if not isinstance(outcome, Done):
                raise TypeError(f"the order ended as {type(outcome).__name__}")
            code = ActivationCode.of(outcome.value.smdp_address, outcome.value.matching_id).text
            to = recipient("Bench Buyer", f"plain{number}@bench.example")
            answer = await mailer.send(Mail(store.address, to, partial(compose, number, profile, code)))
            if not isinstance(answer, Done):
                raise TypeError(f"the mail server answered {type(answer).__name__}")

    began = time.monotonic()
    await asyncio.gather(*(buyer() for _ in range(_TOGETHER)))
    ended = time.monotonic()
    await operator.close()
    await mailer.close()
    return {"began": began, "ended": ended}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_calls(json.loads(sys.argv[1])))))
