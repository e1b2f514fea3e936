"""AsyncAPI 3.0: the topics that a service writes and reads, from its contracts and subscriptions.

Shapes follow https://www.asyncapi.com/docs/reference/specification/v3.0.0 and the Kafka bindings 0.5.0. Records are
CloudEvents 1.0 in binary mode (Kafka protocol binding): attributes are headers, the body is the fact.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args
from uuid import UUID

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.contracts.base import EVENTS, BuyerErased, Event, OrderEvent
from shared.contracts.examples import EXAMPLES
from shared.contracts.storefront import OrderSubmitted, orders_topic, shop_of
from shared.interfaces.sentences import field_comments, first_sentence, paragraph
from shared.interfaces.shop_updates import add_updates
from shared.messaging.cloudevents import CONTENT_TYPE
from shared.messaging.topics import owned_topics, topic_settings

Document = dict[str, Any]
_BINDING = {"bindingVersion": "0.5.0"}
_SCHEMAS = "#/components/schemas/{model}"
_TOMBSTONE = "Erased"
_EXAMPLE_ID = UUID("019aa5b0-9a01-7c01-8d02-6f1e2d3c4b5a")
_EXAMPLE_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#: The field that is the record's key, where the key is one unchanged field.
_KEYS: tuple[tuple[type[Event], str], ...] = ((OrderEvent, "order_id"), (BuyerErased, "buyer_id"))
_WORDS = re.compile(r"(?<!^)(?=[A-Z])")


def document(service: str, version: str, description: str, reads: Iterable[str], erasures: Iterable[str]) -> Document:
    """The AsyncAPI document of a service.

    `reads`: topics that it subscribes to; `erasures`: those of them of which it applies tombstones too. What it writes
    is what it owns: the broker grants no more.
    """
    # The shops' topics are one channel, whichever shops there are.
    read, erased = sorted({topic if shop_of(topic) is None else OrderSubmitted.topic for topic in reads}), set(erasures)
    written = sorted(topic for topic in owned_topics(service) if EVENTS[topic].owner() == service)
    topics = sorted({*read, *written})
    tombstones = {topic for topic in topics if EVENTS[topic].personal and _compacted(topic)}
    tombstones &= {*erased, *written}
    classes = [EVENTS[topic] for topic in topics]
    result: Document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{service}: events",
            "version": version,
            "description": description,
            "tags": [{"name": service}],
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"kafka": _SERVER},
        "channels": {topic: _channel(EVENTS[topic], tombstone=topic in tombstones) for topic in topics},
        "operations": {
            **{f"send.{topic}": _send(EVENTS[topic], tombstone=topic in tombstones) for topic in written},
            **{f"receive.{topic}": _receive(EVENTS[topic], service, tombstone=topic in erased) for topic in read},
        },
        "components": {
            "schemas": _schemas(classes),
            "messages": {
                **{event.__name__: _message(event) for event in classes},
                **{EVENTS[topic].__name__ + _TOMBSTONE: _tombstone(EVENTS[topic]) for topic in sorted(tombstones)},
            },
            "securitySchemes": {
                "scram": {"type": "scramSha512", "description": "A user for each service, with rights for its topics."}
            },
        },
    }
    if OrderSubmitted.topic in owned_topics(service):  # who looks after the shops' topics writes their updates
        add_updates(result)
    return result


_SERVER = {
    "host": "{brokers}",
    "protocol": "kafka",
    "description": "Kafka 4. Topics exist before anybody writes; what is not granted is refused.",
    "variables": {"brokers": {"default": "localhost:9092", "description": "`KAFKA_BOOTSTRAP_SERVERS`"}},
    "security": [{"$ref": "#/components/securitySchemes/scram"}],
}


def _channel(event: type[Event], *, tombstone: bool) -> Document:
    settings: dict[str, Any] = dict(topic_settings(event.topic))
    settings["cleanup.policy"] = [settings["cleanup.policy"]]
    shown = {name: int(value) if str(value).isdigit() else value for name, value in settings.items()}
    messages = [event.__name__, *([event.__name__ + _TOMBSTONE] if tombstone else [])]
    kept = "Compacted: the newest record of each key stays." if _compacted(event.topic) else "Deleted by age."
    return {
        "address": event.topic if event is not OrderSubmitted else orders_topic("{shop}"),
        **(
            {"parameters": {"shop": {"description": "The shop, which alone writes it."}}}
            if event is OrderSubmitted
            else {}
        ),
        "title": _title(event),
        "description": f"Owned by {event.owner()}, which alone writes it. {kept}"
        if event.owner() != "storefront"
        else f"One for each shop, which alone writes it; the order is that shop's, whatever the body says. {kept}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topicConfiguration": shown, **_BINDING}},
    }


def _send(event: type[Event], *, tombstone: bool) -> Document:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{event.topic}"},
        "title": f"Tell: {_title(event)}",
        "summary": first_sentence(event.__doc__),
        "description": "At least once: written to the outbox with the change that it tells of, published after the "
        "commit. Readers know a repetition by `ce_id`.",
        "messages": _messages(event, tombstone=tombstone),
    }


def _receive(event: type[Event], service: str, *, tombstone: bool) -> Document:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{event.topic}"},
        "title": f"Hear: {_title(event)}",
        "summary": first_sentence(event.__doc__),
        "description": "Counts once however often it is read, in any order. What cannot be applied goes to this "
        "service's dead letters and holds up nobody.",
        "messages": _messages(event, tombstone=tombstone),
        "bindings": {"kafka": {"groupId": {"type": "string", "const": service}, **_BINDING}},
    }


def _messages(event: type[Event], *, tombstone: bool) -> list[Document]:
    names = [event.__name__, *([event.__name__ + _TOMBSTONE] if tombstone else [])]
    return [{"$ref": f"#/channels/{event.topic}/messages/{name}"} for name in names]


def _message(event: type[Event]) -> Document:
    message = {
        "name": event.__name__,
        "title": _title(event),
        "summary": first_sentence(event.__doc__),
        "description": paragraph(event.__doc__),
        "contentType": CONTENT_TYPE,
        "headers": _headers(event),
        "payload": {"$ref": _SCHEMAS.format(model=event.__name__)},
        "bindings": {"kafka": {"key": _key(event), **_BINDING}},
        "tags": [{"name": "personal data" if event.personal else "ids only"}],
    }
    if (example := EXAMPLES.get(event.topic)) is not None:
        body = json.loads(example.model_dump_json())
        message["examples"] = [{"name": event.__name__, "headers": _example_headers(event), "payload": body}]
    return message


def _tombstone(event: type[Event]) -> Document:
    return {
        "name": event.__name__ + _TOMBSTONE,
        "title": f"{_title(event)}: erased",
        "summary": "A record without a body: nothing of this key may be kept (PP 6.2).",
        "description": "A Kafka tombstone. Whoever holds a copy deletes it; compaction removes the older records.",
        "headers": _headers(event),
        "payload": {"type": "null"},
        "bindings": {"kafka": {"key": _key(event), **_BINDING}},
        "tags": [{"name": "erasure"}],
    }


def _headers(event: type[Event]) -> Document:
    """CloudEvents attributes, named as in binary mode of the Kafka binding, and W3C Trace Context."""
    owned = event.owner() != "storefront"
    source = {"const": f"/services/{event.owner()}"} if owned else {"description": "Any URI reference of the shop's."}
    attributes: dict[str, Document] = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"description": "Unique with `ce_source`; a repetition has the same. Ours are UUIDs, version 7."},
        "ce_source": source,
        "ce_type": {"const": event.ce_type(), "description": "The fact and the major version of its contract."},
        "ce_dataschema": {
            "description": "The contract's version with what was added since: information only.",
            "pattern": f"^urn:esim:event:{re.escape(event.topic)}:{event.version}\\.[0-9]+$",
        },
        "ce_time": {"format": "date-time", "description": "When the event was made (UTC)."},
        "content-type": {"const": CONTENT_TYPE},
        "traceparent": {"description": "W3C Trace Context: the order's trace goes on from here."},
    }
    required = ["ce_specversion", "ce_id", "ce_source", "ce_type"] + (["ce_time", "content-type"] if owned else [])
    return {
        "type": "object",
        "required": required,
        "properties": {name: {"type": "string", **attribute} for name, attribute in attributes.items()},
    }


def _example_headers(event: type[Event]) -> Document:
    return {
        "ce_specversion": "1.0",
        "ce_id": str(_EXAMPLE_ID),
        "ce_source": f"/services/{event.owner()}" if event.owner() != "storefront" else "/storefronts/esimka",
        "ce_type": event.ce_type(),
        "ce_dataschema": event.schema_id(),
        "ce_time": "2026-11-21T09:30:41.250000+00:00",
        "content-type": CONTENT_TYPE,
        "traceparent": _EXAMPLE_TRACE,
    }


def _key(event: type[Event]) -> Document:
    for base, name in _KEYS:
        if issubclass(event, base):
            return {"type": "string", "format": "uuid", "description": f"`{name}`: all facts of one share a partition."}
    if "submission_id" in event.model_fields:
        return {"type": "string", "description": "`<storefront>:<submission_id>`"}
    name = "key_id" if "key_id" in event.model_fields else "buyer_id"
    return {"type": "string", "format": "uuid", "description": f"`{name}`: all facts of one share a partition."}


def _schemas(classes: list[type[Event]]) -> Document:
    """Bodies and their parts as reusable schemas (JSON Schema as pydantic generates it)."""
    _, definitions = models_json_schema([(model, "serialization") for model in classes], ref_template=_SCHEMAS)
    schemas: Document = definitions.get("$defs", {})
    for model in _models(classes):
        for name, comment in field_comments(model).items():
            schemas[model.__name__]["properties"][name].setdefault("description", comment)
    for model in classes:
        schemas[model.__name__] |= {"x-schema-id": model.schema_id()}
    return dict(sorted(schemas.items()))


def _models(classes: Iterable[type[BaseModel]]) -> set[type[BaseModel]]:
    """These models, the models of their fields, and their base models."""
    models: set[type[BaseModel]] = set()
    left = list(classes)
    while left:
        model = left.pop()
        if model not in models:
            models.add(model)
            for field in model.model_fields.values():
                left += [
                    part for part in _parts(field.annotation) if isinstance(part, type) and issubclass(part, BaseModel)
                ]
    return models


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _compacted(topic: str) -> bool:
    return topic_settings(topic)["cleanup.policy"] == "compact"


def _title(event: type[Event]) -> str:
    return _WORDS.sub(" ", event.__name__).capitalize()
