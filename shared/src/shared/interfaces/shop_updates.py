"""The channel of shops' updates in ordering's AsyncAPI document: `storefront.<shop>.updates`.

The bodies are ordering's own (services/ordering/interfaces/updates), so their schema here names what all have.
"""

from typing import Any

from shared.contracts.storefront import updates_topic
from shared.messaging.cloudevents import CONTENT_TYPE
from shared.messaging.topics import topic_settings

Document = dict[str, Any]
_CHANNEL, _MESSAGE = "storefront.updates", "ShopUpdate"
_BINDING = {"bindingVersion": "0.5.0"}
_BODY: Document = {
    "type": "object",
    "required": ["type", "timestamp", "data"],
    "properties": {
        "type": {"type": "string", "description": "`order.paid`, `esim.expired`, ...: a reader ignores others."},
        "timestamp": {"type": "string", "format": "date-time", "description": "When the fact became true (UTC)."},
        "data": {"type": "object", "description": "Its schema, by type: `interfaces/updates/<type>.json`."},
    },
}


def add_updates(document: Document) -> None:
    """Add the channel, its message and the operation to the document of the service that writes it."""
    settings: Document = dict(topic_settings(updates_topic("shop")))
    settings["cleanup.policy"] = [settings["cleanup.policy"]]
    shown = {name: int(value) if str(value).isdigit() else value for name, value in settings.items()}
    document["channels"][_CHANNEL] = {
        "address": updates_topic("{shop}"),
        "parameters": {"shop": {"description": "The shop, which alone reads it."}},
        "title": "Shop updates",
        "description": "One for each shop, which alone reads it; ordering alone writes it. Deleted by age.",
        "messages": {_MESSAGE: {"$ref": f"#/components/messages/{_MESSAGE}"}},
        "bindings": {"kafka": {"topicConfiguration": shown, **_BINDING}},
    }
    document["operations"][f"send.{_CHANNEL}"] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{_CHANNEL}"},
        "title": "Tell: Shop updates",
        "summary": "What a shop hears about its orders, with the bodies of its webhooks.",
        "description": "At least once, for the shops that read theirs (`UPDATES_TOPICS`). Readers know a repetition by "
        "`ce_id`, which is the `webhook-id` too.",
        "messages": [{"$ref": f"#/channels/{_CHANNEL}/messages/{_MESSAGE}"}],
    }
    document["components"]["schemas"][_MESSAGE] = _BODY
    document["components"]["messages"][_MESSAGE] = {
        "name": _MESSAGE,
        "title": "Shop update",
        "summary": "What became of one order of a shop.",
        "description": "The body of the webhook with the same id. It holds no personal data and no activation code.",
        "contentType": CONTENT_TYPE,
        "headers": _headers(),
        "payload": {"$ref": f"#/components/schemas/{_MESSAGE}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": "The order's id."}, **_BINDING}},
        "tags": [{"name": "ids only"}],
    }


def _headers() -> Document:
    attributes: dict[str, Document] = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"format": "uuid", "description": "The update's id; a repetition has the same."},
        "ce_source": {"const": "/services/ordering"},
        "ce_type": {"description": "The type of the body: `order.paid`."},
        "ce_dataschema": {"pattern": "^urn:esim:update:[a-z_.]+:1$"},
        "ce_time": {"format": "date-time", "description": "When the fact became true (UTC)."},
        "content-type": {"const": CONTENT_TYPE},
        "traceparent": {"description": "W3C Trace Context: the order's trace goes on from here."},
    }
    return {
        "type": "object",
        "required": [name for name in attributes if name != "traceparent"],
        "properties": {name: {"type": "string", **attribute} for name, attribute in attributes.items()},
    }
