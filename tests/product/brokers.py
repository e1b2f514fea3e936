"""What a user may do at the brokers, found out by doing it."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # not in its __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from shared.messaging.access import KafkaAccess

SECONDS = 30
REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


async def readable(user: KafkaAccess, topics: Sequence[str]) -> set[str]:
    """Those topics of which the broker sends this user records, asked by one Fetch, whatever it says of their being."""
    client = AIOKafkaClient(**user.aiokafka())
    try:
        await client.bootstrap()
        request = FetchRequest(0, 0, 1 << 20, 0, [(topic, [(0, 0, 1024)]) for topic in topics])
        response = await client.send(client.get_random_node(), request)
    finally:
        await client.close()
    answers = {topic: partitions[0][1] for topic, partitions in response.topics}
    assert set(answers) == set(topics)
    assert set(answers.values()) <= {0, KafkaError.TOPIC_AUTHORIZATION_FAILED}
    return {topic for topic, error in answers.items() if error == 0}


def writable(user: KafkaAccess, topics: Sequence[str]) -> set[str]:
    """Those topics that take a record of this user's: do not ask of topics that somebody reads."""
    taken: set[str] = set()

    def delivered(error: KafkaError | None, message: Message) -> None:
        assert error is None or error.code() in REFUSED, error
        if error is None:
            taken.add(str(message.topic()))

    producer = Producer({**user.librdkafka(), "message.timeout.ms": SECONDS * 1000})
    for topic in topics:
        producer.produce(topic, b"{}", b"intruder", on_delivery=delivered)
    assert producer.flush(SECONDS) == 0, "no answer"
    return taken


def can_create(user: KafkaAccess, topic: str) -> bool:
    """Whether this user can create that topic."""
    return _allowed(user, lambda admin: admin.create_topics([NewTopic(topic, 1, 1)])[topic])


def can_delete(user: KafkaAccess, topic: str) -> bool:
    """Whether this user can delete that topic; it is gone then."""
    return _allowed(user, lambda admin: admin.delete_topics([topic])[topic])


def can_configure(user: KafkaAccess, topic: str) -> bool:
    """Whether this user can change that topic's settings (to what the default is)."""
    entry = ConfigEntry("min.insync.replicas", "1", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    return _allowed(user, lambda admin: admin.incremental_alter_configs([change])[change])


def can_grant(user: KafkaAccess) -> bool:
    """Whether this user can give itself a right."""
    everything = AclBinding(
        ResourceType.TOPIC,
        "*",
        ResourcePatternType.LITERAL,
        f"User:{user.username}",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    return _allowed(user, lambda admin: admin.create_acls([everything])[everything])


def can_use_group(user: KafkaAccess, group: str) -> bool:
    """Whether this user can see that group's offsets, which is less than joining it."""
    asked = ConsumerGroupTopicPartitions(group)
    return _allowed(user, lambda admin: admin.list_consumer_group_offsets([asked])[group])


def lets_in(user: KafkaAccess) -> bool:
    """Whether the broker tells this user anything at all."""
    try:
        AdminClient({**user.librdkafka(), "log_level": 0}).list_topics(timeout=3)
    except KafkaException as error:
        if error.args[0].code() not in {KafkaError._TRANSPORT, KafkaError._AUTHENTICATION}:
            raise
        return False
    return True


def _allowed(user: KafkaAccess, ask: Callable[[AdminClient], Future[object]]) -> bool:
    admin = AdminClient(user.librdkafka())  # lives until it is answered
    try:
        ask(admin).result(SECONDS)
    except KafkaException as error:
        return _not_refused(error)
    return True


def _not_refused(error: KafkaException) -> bool:
    """False, for a refusal; whatever else went wrong is an error."""
    if error.args[0].code() not in REFUSED:
        raise error
    return False
