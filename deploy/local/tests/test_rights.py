"""Rights of a stack: given at each start, taken back with the table, and given to what earlier versions made."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from psycopg import sql

from local_stack.access import Access, Acl, Principal
from local_stack.kafka import Kafka
from local_stack.kafka_login import KafkaLogin
from local_stack.postgres import Postgres
from shared.testing.documents import JsonObject

pytestmark = pytest.mark.infra

WRITE = Acl("topic", "facts", "literal", frozenset({"Write", "Describe"}))
READ = Acl("topic", "facts", "literal", frozenset({"Read", "Describe"}))
GROUP = Acl("group", "ann", "literal", frozenset({"Read", "Describe"}))


def ann(*acls: Acl) -> Access:
    return Access((Principal("ann", "service", "ann", acls),))


def client_settings(login: KafkaLogin) -> dict[str, str]:
    """Keyword arguments of aiokafka's clients."""
    return {
        "bootstrap_servers": login.bootstrap_servers,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": login.username,
        "sasl_plain_password": login.password,
    }


def make(options: JsonObject, *topics: str) -> None:
    admin = AdminClient(options)
    for future in admin.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
        future.result(20)


C = TypeVar("C", AIOKafkaConsumer, AIOKafkaProducer)


@asynccontextmanager
async def started(client: C) -> AsyncIterator[C]:
    """A client that is also closed where it is not let in."""
    try:
        await client.start()
        yield client
    finally:
        await client.stop()


async def send(options: dict[str, str], *values: bytes) -> None:
    async with started(AIOKafkaProducer(**options, enable_idempotence=True)) as producer:
        for value in values:
            await producer.send_and_wait("facts", value)


async def read(options: dict[str, str], count: int) -> list[bytes]:
    async with started(AIOKafkaConsumer("facts", **options, auto_offset_reset="earliest")) as consumer:
        return [(await consumer.getone()).value for _ in range(count)]


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Kafka]:
    broker = Kafka(tmp_path / "kafka", password="of-the-admin")
    await broker.start()
    yield broker
    broker.kill()


async def test_what_the_table_does_not_say_any_more_is_taken_away(kafka: Kafka) -> None:
    await kafka.grant(ann(WRITE, READ, GROUP), {"ann": "secret"})
    make(kafka.admin.librdkafka(), "facts")
    login = client_settings(KafkaLogin(kafka.bootstrap_servers, "ann", "secret"))
    await send(login, b"one")
    assert await read(login, 1) == [b"one"]

    await kafka.grant(ann(WRITE), {"ann": "another"})
    with pytest.raises(KafkaConnectionError):
        await send(login, b"with the old password")
    login = client_settings(KafkaLogin(kafka.bootstrap_servers, "ann", "another"))
    await send(login, b"two")
    with pytest.raises(TopicAuthorizationFailedError):
        await read(login, 1)


async def test_users_of_another_prefix_are_left_alone(kafka: Kafka) -> None:
    await kafka.grant(ann(READ), {"ann": "one"}, prefix="a.")
    await kafka.grant(ann(READ), {"ann": "two"}, prefix="b.")
    make(kafka.admin.librdkafka(), "a.facts")
    async with AIOKafkaConsumer(
        "a.facts", **client_settings(KafkaLogin(kafka.bootstrap_servers, "a.ann", "one"))
    ) as consumer:
        assert consumer.subscription() == {"a.facts"}


async def test_the_admins_password_is_readable_by_its_user_alone(kafka: Kafka) -> None:
    settings = kafka.directory / "server.properties"
    assert "of-the-admin" in settings.read_text()
    assert settings.stat().st_mode & 0o077 == 0
    assert "of-the-admin" not in repr(kafka.admin)


async def test_a_broker_of_an_earlier_version_keeps_its_records_and_learns_who_is_who(tmp_path: Path) -> None:
    before = Kafka(tmp_path / "kafka")
    await before.start()
    try:
        make({"bootstrap.servers": before.bootstrap_servers}, "facts")
        await send({"bootstrap_servers": before.bootstrap_servers}, b"kept")
        await before.stop()
    finally:
        before.kill()
    now = Kafka(tmp_path / "kafka", password="of-the-admin")
    await now.start()
    try:
        await now.grant(ann(READ), {"ann": "secret"})
        with pytest.raises(KafkaConnectionError):
            await read({"bootstrap_servers": now.bootstrap_servers}, 1)
        assert await read(client_settings(KafkaLogin(now.bootstrap_servers, "ann", "secret")), 1) == [b"kept"]
    finally:
        now.kill()


async def test_a_database_of_an_earlier_version_changes_its_owner(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres")
    await server.start()
    try:
        old = as_it_was(server, "orders")
        execute(old, ["CREATE TABLE t (x int GENERATED ALWAYS AS IDENTITY, y int)", "INSERT INTO t (y) VALUES (1)"])
        for _ in range(2):  # asking again changes nothing
            databases = await server.create_databases(["orders"])
        execute(plain(databases.owners["orders"]), ["ALTER TABLE t ADD COLUMN z int", "CREATE TABLE u (x int)"])
        execute(plain(databases.services["orders"]), ["INSERT INTO t (y) VALUES (2)", "INSERT INTO u VALUES (1)"])
        for statement in ("ALTER TABLE t ADD COLUMN w int", "DROP TABLE t", "CREATE TABLE v (x int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                execute(plain(databases.services["orders"]), [statement])
    finally:
        server.kill()


def as_it_was(server: Postgres, name: str) -> str:
    """One role that owns its database and all in it; returns its URL."""
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        role = sql.Identifier(name)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'old'").format(role))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
    return f"postgresql://{name}:old@127.0.0.1:{server.port}/{name}"


def execute(url: str, statements: Iterable[str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement))


def plain(url: str) -> str:
    return url.replace("+psycopg", "")
