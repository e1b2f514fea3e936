"""A right that is missing is named in `/health/ready`, and the service goes on as soon as it is granted."""

import asyncio
import secrets

import pytest
from pydantic import SecretStr

from local_stack.access import Access, Acl, Principal
from local_stack.kafka_login import KafkaLogin
from local_stack.kafka_rights import grant
from shared.contracts import BuyerContact, OrderPaid, QrDelivered
from shared.kernel.service import Service
from shared.testing.backends import backends
from shared.testing.facts import paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

NAME = "shared.testing.toy"

#: Its users and their rights carry the prefix.
pytestmark = pytest.mark.new_topics
READ, WRITE = frozenset({"Read", "Describe"}), frozenset({"Write", "Describe"})
RIGHTS = {
    "paid": Acl("topic", OrderPaid.topic, "literal", READ),
    "contact": Acl("topic", BuyerContact.topic, "literal", READ),
    "delivered": Acl("topic", QrDelivered.topic, "literal", WRITE),
    "group": Acl("group", NAME, "literal", READ),
}


class Toy:
    """The toy service as a user of its own, and the hand that gives and takes its rights."""

    def __init__(self, stage: Stage, admin: KafkaLogin) -> None:
        self._stage = stage
        self._admin = admin
        self._password = secrets.token_urlsafe(8)

    async def rights(self, *, without: str = "") -> None:
        """All it needs but one."""
        acls = tuple(acl for name, acl in RIGHTS.items() if name != without)
        access = Access((Principal(NAME, "service", NAME, acls),))
        await asyncio.to_thread(grant, self._admin, access, {NAME: self._password}, prefix=self._stage.prefix)

    async def service(self) -> Service:
        settings = await self._stage.settings(Settings, NAME)
        await self._stage.ensure_topics([OrderPaid.topic, BuyerContact.topic, QrDelivered.topic])
        user = {
            "kafka_bootstrap_servers": self._admin.bootstrap_servers,
            "kafka_username": self._stage.prefix + NAME,
            "kafka_password": SecretStr(self._password),
        }
        return toy.build(settings.model_copy(update=user))


@pytest.fixture
def guarded(stage: Stage) -> Toy:
    admin = backends().secured
    if admin is None or admin.username is None:
        pytest.skip("this broker asks nobody who they are")
    return Toy(stage, KafkaLogin(admin.bootstrap_servers, admin.username, admin.password))


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("contact", "the broker refuses to read {prefix}ordering.buyer-contact: grant Read and Describe"),
        ("group", "the broker refuses the consumer group {prefix}shared.testing.toy: grant Read and Describe on it"),
        ("delivered", "the broker refuses to produce: grant Write on the topics that this service owns"),
    ],
)
async def test_it_starts_when_what_was_missing_is_granted(stage: Stage, guarded: Toy, missing: str, words: str) -> None:
    await guarded.rights(without=missing)
    service = await guarded.service()
    async with service.running():
        await stage.eventually(lambda: says(service, words.format(prefix=stage.prefix)))
        await guarded.rights()
        await stage.eventually(lambda: says(service, None))
        await delivers(stage)


@pytest.mark.long
@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("paid", "the broker refuses to read {prefix}payments.order-paid: grant Read and Describe"),
        ("group", "the broker refuses the consumer group {prefix}shared.testing.toy: grant Read and Describe on it"),
        ("delivered", "the broker refuses to write {prefix}notifications.qr-delivered: grant Write and Describe"),
    ],
)
async def test_it_says_what_was_taken_away_and_goes_on_when_it_is_back(
    stage: Stage, guarded: Toy, missing: str, words: str
) -> None:
    await guarded.rights()
    service = await guarded.service()
    async with service.running():
        await stage.eventually(lambda: says(service, None))
        await delivers(stage)
        await guarded.rights(without=missing)
        late, wanted = paid(), words.format(prefix=stage.prefix)

        async def refused() -> bool:
            """Brokers apply a change of rights a moment later: what is published before it still gets through."""
            nonlocal late
            late = paid()
            await stage.publish(late)
            return await says(service, wanted)

        await stage.eventually(refused)
        await guarded.rights()
        await stage.eventually(lambda: says(service, None))
        await stage.events(QrDelivered, where=lambda one: one.key() == late.key())


async def says(service: Service, words: str | None) -> bool:
    return (await service.problems()).get("kafka") == words


async def delivers(stage: Stage) -> None:
    """The way through the service is open."""
    [fact] = await stage.publish(paid())
    await stage.events(QrDelivered, where=lambda one: one.key() == fact.event.key())
