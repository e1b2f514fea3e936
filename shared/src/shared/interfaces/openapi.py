"""OpenAPI 3.1: FastAPI's document of a service, completed from its `Interface` and docstrings.

Added: callers as security schemes (an `Authorization` header is no parameter, OpenAPI 3.1 section 4.8.12), refusals as
problem documents (RFC 9457), summaries that are sentences, chapters with descriptions, examples.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from shared.interfaces.description import HEALTH, OPERATIONS_TAG, PRIVACY, Caller, Example, Interface, Tag
from shared.interfaces.sentences import first_sentence, paragraph

Document = dict[str, Any]
_METHODS = frozenset({"get", "put", "post", "delete", "head", "patch"})
_PROBLEM = "application/problem+json"
_REFUSALS: Mapping[str, tuple[str, str]] = {
    "401": ("unknown-api-key", "The credentials are missing or unknown."),
    "404": ("unknown-order", "There is no such thing, or it is not the caller's."),
    "413": ("body-too-large", "The body is larger than 256 KiB."),
    "422": ("invalid-request", "Fields are missing or wrong: `errors` names each."),
    "503": ("try-again", "A part of the service is unavailable. Nothing was changed; send the same request again."),
}
_TITLES = {
    "401": "Unauthorized",
    "404": "Not Found",
    "413": "Request Entity Too Large",
    "422": "Unprocessable Entity",
    "503": "Service Unavailable",
}
_PROBLEM_SCHEMA: Document = {
    "type": "object",
    "title": "Problem",
    "description": "A refusal (RFC 9457). `type` names its kind and never changes; `detail` says what to do.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "pattern": "^urn:problem:[a-z0-9-]+$"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong and what to do; repeats no value."},
        "errors": {
            "type": "array",
            "description": "Field by field.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_METRICS: Document = {
    "get": {
        "tags": ["health"],
        "summary": "Metrics for Prometheus.",
        "operationId": "metrics",
        "responses": {
            "200": {
                "description": "Prometheus' text format.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
        },
    }
}


def document(app: FastAPI, service: str, version: str, interface: Interface) -> Document:
    """The OpenAPI document of a service. The document that FastAPI keeps for the app is not changed."""
    openapi = copy.deepcopy(app.openapi())
    openapi["info"] = {"title": f"{service}: HTTP", "version": version, "description": interface.description}
    paths: Document = openapi["paths"]
    paths["/metrics"] = copy.deepcopy(_METRICS)
    used = {name for _, operation in _operations(paths) for name in operation.get("tags", [])}
    tags = {tag.name: tag for tag in (*interface.tags, OPERATIONS_TAG, PRIVACY, HEALTH) if tag.name in used}
    callers: dict[str, Caller] = {}
    names = _names(paths)
    for name, operation in _operations(paths):
        allowed = _callers(name, operation, tags, interface)
        callers |= {caller.name: caller for caller in allowed}
        operation["operationId"] = names[name]
        _describe(operation)
        _secure(operation, allowed)
        _refuse(operation, name)
        if name in interface.examples:
            _exemplify(operation, interface.examples[name])
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    schemes = openapi["components"].get("securitySchemes", {})
    schemes |= {name: dict(caller.scheme) for name, caller in callers.items()}
    openapi["components"]["securitySchemes"] = dict(sorted(schemes.items()))
    openapi["tags"] = [{"name": tag.name, "description": tag.description} for tag in tags.values()]
    openapi["servers"] = [{"url": "/", "description": "this instance"}]
    return openapi


def _operations(paths: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield f"{method.upper()} {path}", operation


def _names(paths: Document) -> dict[str, str]:
    """Operation ids: short where that is unique, otherwise FastAPI's, which repeat the path."""
    full = {name: operation["operationId"] for name, operation in _operations(paths)}
    short = {name: _short(operation) for name, operation in _operations(paths)}
    used = list(short.values())
    return {name: text if used.count(text) == 1 else full[name] for name, text in short.items()}


def _short(operation: Document) -> str:
    title: str = operation["summary"] if operation["operationId"] != "metrics" else "metrics"
    return title.lower().replace(" ", "_")


def _callers(name: str, operation: Document, tags: Mapping[str, Tag], interface: Interface) -> tuple[Caller, ...]:
    if name in interface.callers:
        return interface.callers[name]
    return tuple(caller for tag in operation.get("tags", []) if tag in tags for caller in tags[tag].callers)


def _describe(operation: Document) -> None:
    """The docstring's first sentence is the summary; all of it, where there is more, the description."""
    text = operation.pop("description", None)
    if not text:
        return
    operation["summary"] = first_sentence(text)
    if " ".join(paragraph(text).split()) != operation["summary"]:
        operation["description"] = paragraph(text)


def _secure(operation: Document, callers: tuple[Caller, ...]) -> None:
    """Name the callers, unless FastAPI did: of operations with its security classes (`kernel.auth.KeyHolder`)."""
    credentials = {"authorization", *(caller.scheme.get("name", "").lower() for caller in callers)}
    kept = [parameter for parameter in operation.pop("parameters", []) if parameter["name"].lower() not in credentials]
    if kept:
        operation["parameters"] = kept
    operation["security"] = operation.get("security") or [{caller.name: []} for caller in callers]


def _refuse(operation: Document, name: str) -> None:
    answers: Document = operation["responses"]
    invalid = answers.pop("422", None) is not None
    has_body = "requestBody" in operation or name.startswith(("POST ", "PUT "))
    expected = {
        "401": bool(operation["security"]),
        "404": "{" in name,
        "413": has_body,
        "422": invalid or has_body,
        "503": not name.startswith(("GET /health", "GET /metrics")),
    }
    for status, wanted in expected.items():
        if wanted:
            answers[status] = _refusal(status)
    if name == "GET /health/ready":
        answers["503"] = copy.deepcopy(answers["200"]) | {"description": "Not ready: `checks` says why."}
    schema = {"$ref": "#/components/schemas/Problem"}
    answers["default"] = {"description": "Any other refusal.", "content": {_PROBLEM: {"schema": schema}}}


def _refusal(status: str) -> Document:
    kind, detail = _REFUSALS[status]
    example = {"type": f"urn:problem:{kind}", "title": _TITLES[status], "status": int(status), "detail": detail}
    if status == "422":
        example["errors"] = [{"field": "buyer.email", "message": "Field required"}]
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": detail, "content": {_PROBLEM: {"schema": schema, "example": example}}}


def _exemplify(operation: Document, example: Example) -> None:
    if example.body is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example.body
    if example.answer is not None:
        operation["responses"][str(example.status)]["content"]["application/json"]["example"] = example.answer
