"""Tells a broker who its users are and what each may do: all of it in two round trips, at every start.

The admin comes by SASL/PLAIN, which the broker's own settings know, because a new data directory has no users and one
of an earlier version none either. Everybody else comes by SCRAM.
"""

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # not in its __all__
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from local_stack.access import Access
from local_stack.errors import LocalStackError
from local_stack.kafka_login import KafkaLogin

TIMEOUT_SECONDS = 30.0
_ITERATIONS = 4096  # the least that Kafka takes: passwords are random, and each start makes them anew
_OPERATIONS = {
    "Alter": AclOperation.ALTER,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}
_RESOURCES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
_PATTERNS = {"literal": ResourcePatternType.LITERAL, "prefixed": ResourcePatternType.PREFIXED}


def grant(admin: KafkaLogin, access: Access, passwords: Mapping[str, str], *, prefix: str = "") -> None:
    """Make these users, give them what `access` says and take from them what it does not say (any more).

    `prefix` goes before every user, topic and group; users of other prefixes are left alone. Returns when the broker
    lets them in, after some 0.1 s. Raises LocalStackError.
    """
    client = AdminClient(admin.librdkafka("PLAIN"))
    users = {admin.username: admin.password, **{prefix + name: passwords[name] for name in access.names}}
    wanted = set(_bindings(access, prefix))
    try:
        credentials = client.alter_user_scram_credentials([_credential(*user) for user in users.items()])
        present = set(client.describe_acls(_ANY).result(TIMEOUT_SECONDS))
        ours = {one for one in present if one.principal.startswith(f"User:{prefix}")}
        for future in credentials.values():
            future.result(TIMEOUT_SECONDS)
        if new := list(wanted - present):
            for future in client.create_acls(new).values():
                future.result(TIMEOUT_SECONDS)
        if gone := [_filter(one) for one in ours - wanted]:
            for future in client.delete_acls(gone).values():
                future.result(TIMEOUT_SECONDS)
        _sign_in(KafkaLogin(admin.bootstrap_servers, *next(reversed(users.items()))))
    except KafkaException as error:
        raise LocalStackError(f"Kafka did not take its users and their rights: {error}") from error


def _sign_in(login: KafkaLogin) -> None:
    """Wait until the broker knows the password: it learns of it a moment after the controller has stored it.

    All were stored together, so one user stands for all. Raises KafkaException.
    """
    AdminClient({**login.librdkafka(), "log_level": 0}).list_topics(timeout=TIMEOUT_SECONDS)


def _credential(name: str, password: str) -> UserScramCredentialUpsertion:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    return UserScramCredentialUpsertion(name, info, password.encode())


def _bindings(access: Access, prefix: str) -> Iterable[AclBinding]:
    for principal in access.principals:
        for acl in principal.acls:
            for operation in sorted(acl.operations):
                yield AclBinding(
                    _RESOURCES[acl.type],
                    prefix + acl.name,
                    _PATTERNS[acl.pattern],
                    f"User:{prefix}{principal.name}",
                    "*",
                    _OPERATIONS[operation],
                    AclPermissionType.ALLOW,
                )


def _filter(one: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        one.restype, one.name, one.resource_pattern_type, one.principal, one.host, one.operation, one.permission_type
    )


_ANY = AclBindingFilter(
    ResourceType.ANY,
    None,  # type: ignore[arg-type] # None is how a filter says "any"; the stubs forgot
    ResourcePatternType.ANY,
    None,  # type: ignore[arg-type] # as above
    None,  # type: ignore[arg-type] # as above
    AclOperation.ANY,
    AclPermissionType.ANY,
)
