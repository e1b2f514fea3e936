"""The table of rights, a pure function of who subscribes to what.

Least privilege: a service writes below its own name and reads the topics it subscribes to, literally (`operations`
tells nothing, and reads only); its owner, as whom `migrate` runs, looks after those topics and reads and writes none. A
storefront submits on its own topic, `storefront.<shop>.orders`, which nobody else may write, and reads its own topic,
`storefront.<shop>.updates`, which ordering alone writes and nobody else reads. That is all: the topic that all
storefronts shared is written by nobody any more, and `ordering.order-placed` is about every storefront's orders.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from local_stack.access import owner_of, storefront_user
from shared.contracts import orders_topic, updates_topic
from shared.messaging.topics import owned_topics, topic_settings

Acl: TypeAlias = dict[str, Any]
Table: TypeAlias = dict[str, Any]

_WRITE, _READ = ["Describe", "Write"], ["Describe", "Read"]
_OWN = ["Alter", "AlterConfigs", "Create", "Describe", "DescribeConfigs"]


def table(subscriptions: Mapping[str, Sequence[str]], storefronts: Sequence[str]) -> Table:
    """`topics` with owners and settings, and `principals` with their ACLs; see README.md for the fields."""
    principals: list[dict[str, Any]] = []
    owned_by = {service: owned_topics(service, storefronts) for service in subscriptions}
    for service, topics in subscriptions.items():
        shops = storefronts if service == "ordering" else ()
        principals.append(_principal(service, "service", service, _runtime(service, topics, shops)))
        if owned := owned_by[service]:
            principals.append(_principal(owner_of(service), "owner", service, _owner(service, owned)))
    principals += [_principal(storefront_user(name), "storefront", name, _storefront(name)) for name in storefronts]
    facts = [
        {"name": topic, "owner": service, "settings": topic_settings(topic)}
        for service in subscriptions
        for topic in owned_by[service]
    ]
    return {"topics": facts, "principals": principals}


def text(table: Table) -> str:
    """As it is committed: JSON, a line for each topic and each right."""
    topics = ",\n".join(f"    {json.dumps(topic)}" for topic in table["topics"])
    principals = ",\n".join(_principal_text(principal) for principal in table["principals"])
    return f'{{\n  "topics": [\n{topics}\n  ],\n  "principals": [\n{principals}\n  ]\n}}\n'


def _principal_text(principal: Mapping[str, Any]) -> str:
    head = "".join(f'"{key}": {json.dumps(principal[key])}, ' for key in ("name", "kind", "of"))
    acls = ",\n".join(f"      {json.dumps(acl)}" for acl in principal["acls"])
    return f'    {{{head}"acls": [\n{acls}\n    ]}}'


def _principal(name: str, kind: str, of: str, acls: list[Acl]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "of": of, "acls": acls}


def _runtime(service: str, topics: Sequence[str], shops: Sequence[str]) -> list[Acl]:
    # Writing needs no right to produce idempotently: since Kafka 3.0 that comes with writing any topic (KIP-679).
    own = [_topic(f"{service}.", _WRITE, "prefixed")] if owned_topics(service) else []
    updates = [_topic(updates_topic(shop), _WRITE) for shop in shops]
    return [*own, *updates, *(_topic(topic, _READ) for topic in sorted(topics)), _group(service)]


def _storefront(name: str) -> list[Acl]:
    """Its consumer groups are called as its user, or begin with that and a dot: no shop's name contains a dot."""
    user = storefront_user(name)
    groups = [_group(user), _group(f"{user}.", "prefixed")]
    return [_topic(orders_topic(name), _WRITE), _topic(updates_topic(name), _READ), *groups]


def _owner(service: str, topics: Sequence[str]) -> list[Acl]:
    """Below its own name, and what it looks after besides (the shops' topics) by their full names."""
    besides = [topic for topic in topics if not topic.startswith(f"{service}.")]
    return [_topic(f"{service}.", _OWN, "prefixed"), *(_topic(topic, _OWN) for topic in besides)]


def _group(name: str, pattern: str = "literal") -> Acl:
    return {"type": "group", "name": name, "pattern": pattern, "operations": _READ}


def _topic(name: str, operations: list[str], pattern: str = "literal") -> Acl:
    return {"type": "topic", "name": name, "pattern": pattern, "operations": operations}
