"""A buyer asks to be forgotten (PP 6.2): after that nothing that anybody keeps of them can be found anywhere.

On servers of its own, because the broker's files are searched and its settings hurried.
"""

import asyncio
import json
import re
from dataclasses import dataclass, replace

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from local_stack.infra import Infra
from product.harness import Running
from product.judge import qr_text, until
from product.running import NAMES
from product.shop import Buyer, Order, stubborn
from sandbox.client import one_time_code
from shared.contracts import BuyerContact, orders_topic
from shared.messaging.access import KafkaAccess
from shared.messaging.cloudevents import Headers, to_wire
from shared.messaging.producer import Producer
from shared.testing.documents import JsonObject
from shared.testing.search import Needles, files, segments, tables

EID = "89049032000000000000000000777715"
CHAT = 90210
IP = "198.51.100.177"
FAMILY = "Канарейкина-Ерденова"
#: What takes hours in production takes moments here; the mechanism is the same.
HURRIED_BROKER = {"log.cleaner.backoff.ms": "200", "log.retention.check.interval.ms": "500"}
SUBMISSIONS = orders_topic("esimka")
HURRIED_CONTACTS = {
    "segment.ms": "100",
    "max.compaction.lag.ms": "1",
    "min.cleanable.dirty.ratio": "0",
    "delete.retention.ms": "0",
    "file.delete.delay.ms": "0",
}
HURRIED_SUBMISSIONS = {"retention.ms": "1", "segment.ms": "100", "file.delete.delay.ms": "0"}


@dataclass
class Canary(Buyer):
    """A buyer who can be recognised in every script."""

    @property
    def name(self) -> str:
        return f"Жанар {FAMILY} {self.mark.title()}"

    @property
    def needles(self) -> Needles:
        return Needles([self.mark, self.phone[1:], self.phone[2:], FAMILY, EID, IP])


@dataclass(frozen=True)
class Raw:
    """A record as services send it: to the partition that the key belongs to."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


@pytest.fixture
def broker_settings() -> dict[str, str]:
    return HURRIED_BROKER


@pytest.mark.long
async def test_nothing_of_an_erased_buyer_can_be_found(private: Running, infra: Infra) -> None:
    buyer = Canary()
    order, later = await everything_happens(private, buyer)
    before = await search(private, infra, buyer)
    # The search sees what is there: it would be worth nothing otherwise.
    assert {place.partition(":")[0] for place in before["tables"]} >= {
        "ordering.buyers",
        "ordering.session_records",
        "payments.contacts",
        "provisioning.observations",
        "notifications.contacts",
        "refunds.notes",
    }
    topics = {place.rpartition("-")[0] for place in before["segments"]}
    assert topics == {BuyerContact.topic, SUBMISSIONS}
    assert before["files"] == []

    held = await exported(private, order)
    assert set(held) == set(NAMES)
    untold = [name for name, parts in held.items() if not buyer.needles.found(json.dumps(parts).encode())]
    assert untold == [], "what can be found is in the export"

    proof = await erase(private, order)
    assert set(proof["services"]) == set(NAMES)
    assert proof["confirmed_by"] == "code by email"
    await compacted(private)

    async def left() -> str:
        found = await search(private, infra, buyer)
        return json.dumps(found, indent=1, ensure_ascii=False) if any(found.values()) else ""

    await until(left)
    for name in NAMES:
        assert await private.product.query(name, "SELECT 1 FROM dead_letters WHERE key = %s", later["buyer_id"]) == []
    # What the law makes us keep is still there, and knows nobody.
    assert await private.shop.status(order) == "delivered"
    [charge] = [one for one in await private.judge.charges(order) if one["invoiceID"] in order.invoices]
    assert charge["captured"] == order.price


async def everything_happens(running: Running, buyer: Canary) -> tuple[Order, JsonObject]:
    """Two orders, over HTTP and Kafka, and whatever may leave a trace of their buyer."""
    echo = f"{buyer.name} <{buyer.email}> {buyer.phone}"
    match = {"to": buyer.email}
    await running.sandbox.faults(
        {"target": "mail", "effect": "refuse", "status": 451, "message": echo, "match": match, "times": 1},
        {"target": "bank.check_status", "effect": "http_error", "body": {"message": echo}, "times": 1},
        {"target": "operator.download_order", "effect": "http_error", "body": {"message": echo}, "times": 1},
    )
    headers = {"X-Forwarded-For": IP, "User-Agent": f"Browser of {buyer.mark}", "Referer": f"https://x/?{buyer.email}"}
    order = await running.shop.place("esimka", buyer, **headers)
    await running.shop.pay(order)
    await running.judge.statuses([order], "delivered")
    # The phone installs the code, so that a device is known, and the refund is refused with words about a person.
    mail, *_ = await mails(running, buyer.email, ".qr")
    scanned = await running.sandbox.scan(qr_text(mail), EID)
    assert scanned["ok"]
    await running.sandbox.use_data(scanned["iccid"], 1000)
    case = await asks(running, order)
    assert case["case_id"]

    async def decided() -> str:
        return "" if await mails(running, buyer.email, ".denied") else "no answer to the refund request"

    await until(decided)
    await argued(running, buyer, case["case_id"])
    # The same buyer orders over Kafka; the mailbox takes the code and returns it, quoting the address.
    await running.sandbox.faults({"target": "mail", "effect": "bounce", "message": echo, "match": match})
    second = await running.shop.submit("esimka", replace(buyer, key=f"{buyer.key}2"))
    await running.shop.pay(second)

    async def returned() -> str:
        rows = await running.product.query(
            "notifications", "SELECT 1 FROM mails WHERE kind = 'qr' AND bounced_at > '-infinity'"
        )
        return "" if rows else "no mail came back"

    await until(returned)
    await running.sandbox.clear_faults()
    await chats(running, second)
    await running.judge.statuses([second], "refunded")
    of_order = f"SELECT buyer_id::text FROM orders WHERE number = {int(order.number)}"
    [[buyer_id]] = await running.product.query("ordering", of_order)
    # Records of this buyer that cannot be applied: sealed dead letters in three services.
    broken = json.dumps({"buyer_id": buyer.email, "name": buyer.name, "phone": buyer.phone}).encode()
    marks = {"ce_specversion": "1.0", "ce_id": "1", "ce_type": BuyerContact.ce_type(), "x": buyer.email}
    producer = Producer(running.product.kafka)
    [(sent, _)] = await producer.send_all([Raw(BuyerContact.topic, buyer_id.encode(), broken, to_wire(marks))])
    await sent
    await producer.stop()
    await running.judge.put_aside({"payments": 1, "notifications": 1, "refunds": 1})
    # A correction that was asked for and never confirmed, and one that was, of both orders of the mailbox.
    await correct(running, order, name=f"{buyer.name} the Second")
    await texted(running, buyer.phone)
    await pressed(running, buyer)
    asked = await correct(running, order, email=f"new.{buyer.email}")
    await confirm(running, order, asked, await mailed(running, buyer.email, asked))

    async def again() -> str:
        found = await mails(running, f"new.{buyer.email}", ".resend")
        return "" if found else "the code that still works was not mailed to the corrected address"

    await until(again)
    return order, {"buyer_id": buyer_id, "order": second}


async def mails(running: Running, address: str, kind: str) -> list[JsonObject]:
    found = await running.sandbox.mails(to=address)
    return [mail for mail in found if mail["message_id"].partition("@")[0].endswith(kind)]


async def pressed(running: Running, buyer: Buyer) -> None:
    """The buyer uses the links in the mails about both orders: from then on it is known that the mailbox is theirs."""
    for mail in await mails(running, buyer.email, ".qr"):
        path = re.search(r"/account/[\w-]+", mail["text"])
        assert path
        url = running.product.url("notifications") + path[0]
        form = re.search(r'name="form" value="([0-9a-f]+)"', (await running.shop.http.get(url)).text)
        assert form
        answer = await running.shop.http.post(f"{url}/code", data={"form": form[1]})
        assert answer.status_code == 200, answer.text

    async def proved() -> str:
        rows = await running.product.query("ordering", "SELECT 1 FROM buyers WHERE proved_by = 'link'")
        return "" if len(rows) == 2 else f"{len(rows)} of 2 orders are known to be the mailbox's"

    await until(proved)


async def asks(running: Running, order: Order) -> JsonObject:
    """For the money back, with words and evidence that say who writes."""
    buyer = order.buyer
    body = {
        "reason": "changed_mind",
        "channel": "account",
        "full_name": buyer.name,
        "email": buyer.email,
        "phone": buyer.phone,
        "payment_date": "2026-11-20",
        "circumstances": f"I, {buyer.name}, can be reached under {buyer.phone}.",
        "evidence": [f"Screenshot: {buyer.email} cannot connect"],
    }
    url = f"{running.product.url('refunds')}/orders/{order.id}/refund-requests"
    auth = running.shop.auth(order.storefront)
    answer = await stubborn(lambda: running.shop.http.post(url, json=body, headers=auth), again={404})
    assert answer.status_code in (200, 201), answer.text
    document: JsonObject = answer.json()
    return document


async def argued(running: Running, buyer: Buyer, case_id: str) -> None:
    """The buyer appeals against the denial, and an agent notes what was said on the phone."""
    case = f"{running.product.url('refunds')}/cases/{case_id}"
    auth = running.shop.auth("esimka")
    appeal = await running.shop.http.post(f"{case}/appeals", json={"text": f"{buyer.name} disagrees"}, headers=auth)
    assert appeal.status_code == 201, appeal.text
    agent = {"Authorization": f"Bearer {running.product.site.agent_keys['support']}"}
    note = {"note": f"Called {buyer.phone}: {buyer.name} will write from {buyer.email}."}
    noted = await running.shop.http.post(f"{case}/findings", json=note, headers=agent)
    assert noted.status_code == 200, noted.text


async def chats(running: Running, order: Order) -> None:
    """The buyer asks for this order's money by Telegram, and tells the bot who is writing."""
    buyer = order.buyer
    words = ("/start", order.number, "I changed my mind", f"Call {buyer.phone}", buyer.email, buyer.name, "20.11.2026")
    for count, text in enumerate(words, 1):
        await running.sandbox.telegram_write(CHAT, text)

        async def silent(count: int = count) -> str:
            messages = await running.sandbox.telegram_chat(CHAT)
            return "" if len(messages) >= count else f"the bot has not answered message {count}"

        await until(silent)


async def exported(running: Running, order: Order) -> JsonObject:
    """All that the five services hold, as the buyer gets it."""
    auth, base = running.shop.auth(order.storefront), f"{running.product.url('ordering')}/privacy/requests"
    asked = await running.shop.http.post(base, json={"order": order.number, "kind": "export"}, headers=auth)
    identity = asked.json()["request_id"]
    await confirm(running, order, identity, await mailed(running, f"new.{order.buyer.email}", identity))
    answer = await running.shop.http.get(f"{base}/{identity}/export", headers=auth)
    assert answer.status_code == 200, answer.text
    held: JsonObject = answer.json()
    return held


async def correct(running: Running, order: Order, **fields: str) -> str:
    """The id of the confirmation."""
    url = f"{running.product.url('ordering')}/orders/{order.id}/contact-changes"
    answer = await running.shop.http.post(url, json=fields, headers=running.shop.auth(order.storefront))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["confirmation_id"])


async def confirm(running: Running, order: Order, asked: str, code: str) -> None:
    url = f"{running.product.url('ordering')}/confirmations/{asked}"
    auth = running.shop.auth(order.storefront)
    answer = await running.shop.http.post(url, json={"code": code}, headers=auth)
    assert answer.status_code == 200, answer.text


async def texted(running: Running, phone: str) -> None:
    """A message has reached the phone."""

    async def missing() -> str:
        return "" if await running.sandbox.texts(to=phone) else "the code was not sent by SMS"

    await until(missing)


async def mailed(running: Running, address: str, request: str) -> str:
    """The code for this request. Mails are not counted: one whose receipt stayed unconfirmed may have come twice."""

    async def ours() -> list[JsonObject]:
        found = await mails(running, address, ".code")
        return [mail for mail in found if mail["message_id"].strip("<").startswith(request)]

    async def missing() -> str:
        return "" if await ours() else "the code was not mailed"

    await until(missing)
    code = one_time_code((await ours())[0]["text"])
    assert code
    return code


async def erase(running: Running, order: Order) -> JsonObject:
    """Ask, confirm, wait; returns the proof."""
    auth, base = running.shop.auth(order.storefront), f"{running.product.url('ordering')}/privacy/requests"
    asked = await running.shop.http.post(base, json={"order": order.number, "kind": "erase"}, headers=auth)
    assert asked.status_code == 202, asked.text
    identity = asked.json()["request_id"]
    await confirm(running, order, identity, await mailed(running, f"new.{order.buyer.email}", identity))

    async def waiting() -> str:
        proof = (await running.shop.http.get(f"{base}/{identity}", headers=auth)).json()
        return "" if proof["state"] == "done" else f"waiting for {proof['waiting_for']}"

    await until(waiting)
    proof: JsonObject = (await running.shop.http.get(f"{base}/{identity}", headers=auth)).json()
    return proof


async def compacted(running: Running) -> None:
    """Let the hours pass that segments, compaction and retention are given, and the repeated tombstone waits."""
    await asyncio.to_thread(_configure, running.product.kafka, BuyerContact.topic, HURRIED_CONTACTS)
    await asyncio.to_thread(_configure, running.product.kafka, SUBMISSIONS, HURRIED_SUBMISSIONS)
    due = "UPDATE work SET due_at = now() WHERE kind = 'repeat_tombstone' RETURNING key"
    assert len(await running.product.query("ordering", due)) == 2, "one for each order of the mailbox"


def _configure(kafka: KafkaAccess, topic: str, settings: dict[str, str]) -> None:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient(kafka.librdkafka())
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(20)


async def search(running: Running, infra: Infra, buyer: Canary) -> dict[str, list[str]]:
    """Where the buyer can be found: tables of all services, files of the broker, logs and traces."""
    product, needles = running.product, buyer.needles
    written = [*product.site.directory.glob("logs/*.log"), *product.site.directory.glob("traces/*.jsonl")]
    written += (infra.directory / "logs").glob("*.log")
    ours = [path for path in written if path.name != "sandbox.log"]  # the sandbox is the world outside

    def look() -> dict[str, list[str]]:
        return {
            "tables": [f"{name}.{hit}" for name in NAMES for hit in tables(product.site.databases[name], needles)],
            "segments": [place.partition("/")[0] for place in segments(infra.directory / "kafka" / "data", needles)],
            "files": files(ours, needles),
        }

    return await asyncio.to_thread(look)
