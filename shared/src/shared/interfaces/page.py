"""Renders an AsyncAPI document as an HTML page: topics written, topics read, every field."""

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from shared.interfaces.style import STYLE

Part = Mapping[str, Any]
_CODE = re.compile("`([^`]+)`")
_ACTIONS = {"send": "tells", "receive": "hears"}
_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="docs/favicon.png">
<style>{style}</style></head><body>
<nav><a href="docs">HTTP</a> · <b>Events</b> · <a href="openapi.json">openapi.json</a> ·
<a href="asyncapi.json">asyncapi.json</a></nav>
<header><h1>{title} <small>{version}</small></h1><p>{description}</p>
<p class="quiet">AsyncAPI {asyncapi} · Kafka, SASL/SCRAM-SHA-512 · CloudEvents 1.0, binary mode</p></header>"""


def page(document: Part) -> str:
    """HTML; every text of the document is escaped."""
    info = document["info"]
    head = _HEAD.format(
        title=escape(info["title"]),
        version=escape(info["version"]),
        description=_prose(info["description"]).replace("\n\n", "</p><p>"),
        asyncapi=escape(document["asyncapi"]),
        style=STYLE,
    )
    return "\n".join([head, _contents(document), *_operations(document), _parts(document), "</body></html>"])


def _contents(document: Part) -> str:
    columns = []
    for action, title in _ACTIONS.items():
        rows = "".join(
            f'<li><a href="#{escape(name)}">{escape(_topic(operation))}</a>'
            f"<span>{_prose(operation['summary'])}</span></li>"
            for name, operation in document["operations"].items()
            if operation["action"] == action
        )
        columns.append(
            f'<section><h2><i class="{action}">{title}</i></h2><ul>{rows or "<li>nothing</li>"}</ul></section>'
        )
    return f'<main class="contents">{"".join(columns)}</main>'


def _operations(document: Part) -> Iterable[str]:
    for name, operation in document["operations"].items():
        channel = document["channels"][_topic(operation)]
        messages = [document["components"]["messages"][_last(reference)] for reference in operation["messages"]]
        yield (
            f'<article id="{escape(name)}"><h2><i class="{operation["action"]}">{_ACTIONS[operation["action"]]}</i> '
            f"{escape(channel['address'])}</h2>"
            f"<p>{_prose(channel['description'])} {_prose(operation['description'])}</p>"
            f"{_settings(channel)}{''.join(_message(document, message) for message in messages)}</article>"
        )


def _settings(channel: Part) -> str:
    settings = channel["bindings"]["kafka"]["topicConfiguration"]
    shown = (
        f"<code>{escape(name)}={escape(','.join(value) if isinstance(value, list) else str(value))}</code>"
        for name, value in settings.items()
    )
    return f'<p class="quiet">{" ".join(shown)}</p>'


def _message(document: Part, message: Part) -> str:
    key = message["bindings"]["kafka"]["key"]
    reference = message["payload"].get("$ref")
    body = _fields(document["components"]["schemas"][_last(message["payload"])]) if reference else "<p>No body.</p>"
    examples = "".join(
        f"<details><summary>Example</summary><pre>{escape(_lines(example['headers']))}\n\n"
        f"{escape(_json(example['payload']))}</pre></details>"
        for example in message.get("examples", ())
    )
    return (
        f"<h3>{escape(message['name'])} <small>{escape(message['tags'][0]['name'])}</small></h3>"
        f"<p>{_prose(message['description'])}</p>"
        f'<p class="quiet">Key: {_prose(key["description"])}</p>{body}'
        f"<details><summary>Headers</summary>{_fields(message['headers'])}</details>{examples}"
    )


def _parts(document: Part) -> str:
    """The schemas of the messages, each once."""
    bodies = {
        _last(message["payload"])
        for message in document["components"]["messages"].values()
        if "$ref" in message["payload"]
    }
    parts = "".join(
        f'<article id="schema-{escape(name)}"><h3>{escape(name)}</h3><p>{_prose(schema.get("description", ""))}</p>'
        f"{_fields(schema)}</article>"
        for name, schema in document["components"]["schemas"].items()
        if name not in bodies
    )
    return f"<h2>Parts</h2>{parts}" if parts else ""


def _fields(schema: Part) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{'' if name in required else ' <small>optional</small>'}</td>"
        f"<td>{_type(field)}</td><td>{_prose(field.get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _type(schema: Part) -> str:
    """A short form of a schema: `string (uuid)`, `Money`, `list of Ground`, `"a" | "b"`."""
    if "$ref" in schema:
        name = escape(_last(schema))
        return f'<a href="#schema-{name}">{name}</a>'
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(alternative) for alternative in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    limit = schema.get("format") or schema.get("pattern") or ""
    return escape(schema.get("type", "any")) + (f" <small>{escape(limit)}</small>" if limit else "")


def _prose(text: str) -> str:
    """Escaped; text in backticks becomes code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _topic(operation: Part) -> str:
    return _last(operation["channel"])


def _last(reference: Part) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _lines(headers: Part) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())
