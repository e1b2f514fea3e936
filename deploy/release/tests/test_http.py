"""HTTP: whoever called a service as it was last released goes on working."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from release import callers
from release.history import record
from release.interfaces import path_of
from shared.testing.documents import JsonObject

Document = JsonObject
PLACE, ASK = "POST /orders", "GET /orders/{reference}"


def test_callers_of_the_last_release_go_on_working(released: tuple[str, Path]) -> None:
    name, tree = released
    found = callers.broken(name, tree)
    meant = callers.intended(name)
    assert all(meant.values()), "a break without a reason"
    assert set(meant) <= set(dict(found)), "a reason for what is not broken"
    assert [one for one in found if one[0] not in meant] == []


def test_a_release_without_a_document_is_asked_for_it(tmp_path: Path) -> None:
    """By its own code; what its document cannot say of credentials shows when it is asked without any."""
    package = tmp_path / "services" / "ordering" / "src" / "ordering"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "settings.py").write_text("class Settings: ...\n")
    (package / "service.py").write_text(RELEASED)
    there = {"security": [{"agent": []}], "responses": {"200": {"content": {"application/json": {}}}}}
    now = {
        "paths": {path: {"get": there} for path in ("/open", "/guarded", "/declared", "/since")},
        "components": {"securitySchemes": {"agent": {"type": "http", "scheme": "bearer"}}},
    }
    then = callers.as_released("ordering", tmp_path, now)
    assert list(callers.changes(then, now)) == [
        ("GET /left", "gone"),
        ("GET /open credentials", "nothing was enough, now it takes agent"),
    ]


RELEASED = """
from types import SimpleNamespace
from typing import Annotated
from fastapi import FastAPI, Header, Response

app = FastAPI()
app.get("/left")(lambda: None)
app.get("/open")(lambda: None)
app.get("/guarded")(lambda: Response(status_code=401))

@app.get("/declared")
def declared(authorization: Annotated[str, Header()] = ""):
    return Response(status_code=503)

def build(settings):
    print("a line of the log")
    return SimpleNamespace(name="ordering", app=app)
"""


def test_a_document_that_was_committed_is_what_is_compared(tmp_path: Path) -> None:
    path = path_of("ordering", "openapi", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text('{"openapi": "3.1.0", "paths": {"/left": {"get": {"responses": {}}}}}')
    assert callers.broken("ordering", tmp_path) == [("GET /left", "gone")]


def test_what_is_meant_is_read_where_the_release_is_recorded(tmp_path: Path) -> None:
    path = record("ordering", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text('version = "1.0.0"\n')
    assert callers.intended("ordering", tmp_path) == {}
    path.write_text('version = "1.0.0"\n[breaks]\n"GET /x 200" = "nobody asks"\n')
    assert callers.intended("ordering", tmp_path) == {"GET /x 200": "nobody asks"}


def api() -> Document:
    """A shop's interface, with one of everything that is compared."""

    def content(name: str) -> Document:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    text = {"type": "string", "maxLength": 100}
    order = {
        "type": "object",
        "required": ["plan", "lines"],
        "additionalProperties": False,
        "properties": {
            "plan": {"type": "string", "enum": ["day", "week"]},
            "note": {"anyOf": [text, {"type": "null"}]},
            "amount": {"type": "integer", "minimum": 1},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
        },
    }
    line = {
        "type": "object",
        "required": ["sku"],
        "properties": {"sku": {"type": "string"}, "size": {"type": "string"}},
    }
    view = {
        "type": "object",
        "required": ["status", "lines"],
        "properties": {
            "status": {"type": "string", "enum": ["placed", "paid"]},
            "word": {"type": "string"},
            "price": {"type": "integer"},
            "facts": {"type": "object", "additionalProperties": {"type": "string", "format": "date-time"}},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
            "trace": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "within": {"$ref": "#/components/schemas/View"},
        },
    }
    return {
        "paths": {
            "/orders": {
                "post": {
                    "security": [{"storefront": []}],
                    "parameters": [{"in": "header", "name": "Idempotency-Key", "required": False, "schema": text}],
                    "requestBody": {"required": True, "content": content("Order")},
                    "responses": {"201": {"content": content("View")}, "422": {"content": content("Line")}},
                }
            },
            "/orders/{reference}": {
                "get": {
                    "security": [{"storefront": []}, {"agent": []}],
                    "parameters": [
                        {"in": "path", "name": "reference", "required": True, "schema": {"type": "string"}},
                        {"in": "query", "name": "lang", "required": False, "schema": {"type": "string"}},
                    ],
                    "responses": {"200": {"content": content("View")}},
                }
            },
            "/policies": {"get": {"security": [], "responses": {"200": {}, "202": {}}}},
        },
        "components": {"schemas": {"Order": order, "Line": line, "View": view}},
    }


class Api:
    """What a change is made to."""

    def __init__(self) -> None:
        self.document = api()
        schemas = self.document["components"]["schemas"]
        self.paths: Document = self.document["paths"]
        self.place: Document = self.paths["/orders"]["post"]
        self.ask: Document = self.paths["/orders/{reference}"]["get"]
        self.policies: Document = self.paths["/policies"]["get"]
        self.order, self.line, self.view = schemas["Order"], schemas["Line"], schemas["View"]
        self.sent: Document = self.order["properties"]
        self.fields: Document = self.view["properties"]


Change = Callable[[Api], object]


def changed(change: Change) -> list[callers.Break]:
    of = Api()
    change(of)
    return list(callers.changes(api(), of.document))


BREAKS: list[tuple[str, Change, str]] = [
    ("operation", lambda of: of.paths["/policies"].pop("get"), "GET /policies"),
    ("path", lambda of: of.paths.pop("/orders/{reference}"), ASK),
    ("moved", lambda of: of.paths.update({"/order": of.paths.pop("/orders")}), PLACE),
    ("method", lambda of: of.paths["/orders"].update(put=of.paths["/orders"].pop("post")), PLACE),
    ("credentials", lambda of: of.policies.update(security=[{"agent": []}]), "GET /policies credentials"),
    ("other credentials", lambda of: of.place.update(security=[{"agent": []}]), f"{PLACE} credentials"),
    ("more credentials", lambda of: of.place["security"][0].update(agent=[]), f"{PLACE} credentials"),
    ("one caller of two", lambda of: of.ask["security"].pop(), f"{ASK} credentials"),
    ("parameter required", lambda of: of.ask["parameters"][1].update(required=True), f"{ASK} query lang"),
    ("header required", lambda of: of.place["parameters"][0].update(required=True), f"{PLACE} header idempotency-key"),
    (
        "new parameter required",
        lambda of: of.ask["parameters"].append({"in": "query", "name": "v", "required": True, "schema": {}}),
        f"{ASK} query v",
    ),
    ("parameter gone", lambda of: of.ask["parameters"].pop(), f"{ASK} query lang"),
    ("parameter elsewhere", lambda of: of.ask["parameters"][1].update({"in": "header"}), f"{ASK} query lang"),
    ("parameter of a type", lambda of: of.ask["parameters"][1]["schema"].update(type="integer"), f"{ASK} query lang"),
    (
        "parameter narrower",
        lambda of: of.ask["parameters"][1]["schema"].update(enum=["en", "ru"]),
        f"{ASK} query lang",
    ),
    ("part of the path", lambda of: of.ask["parameters"][0]["schema"].update(format="uuid"), f"{ASK} path 1"),
    (
        "body required",
        lambda of: of.policies.update(requestBody={"required": True, "content": {}}),
        "GET /policies body",
    ),
    ("body gone", lambda of: of.place.pop("requestBody"), f"{PLACE} body"),
    (
        "body of another kind",
        lambda of: of.place["requestBody"].update(content={"text/csv": {}}),
        f"{PLACE} body",
    ),
    ("field required", lambda of: of.order["required"].append("note"), f"{PLACE} body.note"),
    (
        "new field required",
        lambda of: (of.sent.update(buyer={}), of.order["required"].append("buyer")),
        f"{PLACE} body.buyer",
    ),
    ("field not taken", lambda of: of.sent.pop("note"), f"{PLACE} body.note"),
    ("field of a type", lambda of: of.sent["amount"].update(type="string"), f"{PLACE} body.amount"),
    ("value not taken", lambda of: of.sent["plan"]["enum"].pop(), f"{PLACE} body.plan"),
    ("null not taken", lambda of: of.sent.update(note={"type": "string", "maxLength": 100}), f"{PLACE} body.note"),
    ("shorter", lambda of: of.sent["note"]["anyOf"][0].update(maxLength=50), f"{PLACE} body.note"),
    ("more", lambda of: of.sent["amount"].update(minimum=2), f"{PLACE} body.amount"),
    ("at most", lambda of: of.sent["amount"].update(maximum=9), f"{PLACE} body.amount"),
    ("pattern", lambda of: of.sent["note"]["anyOf"][0].update(pattern="^a"), f"{PLACE} body.note"),
    ("inside a list", lambda of: of.line["required"].append("size"), f"{PLACE} body.lines[].size"),
    ("no other fields", lambda of: of.line.update(additionalProperties=False), f"{PLACE} body.lines[]"),
    ("success gone", lambda of: of.policies["responses"].pop("202"), "GET /policies 202"),
    (
        "another success",
        lambda of: of.place["responses"].update({"200": of.place["responses"].pop("201")}),
        f"{PLACE} 201",
    ),
    ("answer without a body", lambda of: of.ask["responses"]["200"].pop("content"), f"{ASK} 200"),
    ("answer lost a field", lambda of: of.fields.pop("price"), f"{ASK} 200.price"),
    ("refusal lost a field", lambda of: of.line["properties"].pop("size"), f"{PLACE} 422.size"),
    ("not always there", lambda of: of.view["required"].remove("status"), f"{ASK} 200.status"),
    ("answer of a type", lambda of: of.fields["price"].update(type="number"), f"{ASK} 200.price"),
    ("may be null", lambda of: of.fields["price"].update(type=["integer", "null"]), f"{ASK} 200.price"),
    (
        "one more alternative",
        lambda of: of.fields["trace"]["anyOf"].append({"type": "integer"}),
        f"{ASK} 200.trace",
    ),
    ("new value", lambda of: of.fields["status"]["enum"].append("lost"), f"{ASK} 200.status"),
    ("any value", lambda of: of.fields["status"].pop("enum"), f"{ASK} 200.status"),
    (
        "values of a map",
        lambda of: of.fields["facts"]["additionalProperties"].pop("format"),
        f"{ASK} 200.facts.*",
    ),
    ("answered inside a list", lambda of: of.line["properties"].pop("size"), f"{ASK} 200.lines[].size"),
]


@pytest.mark.parametrize(("change", "thing"), [pytest.param(*one[1:], id=one[0]) for one in BREAKS])
def test_what_a_caller_could_not_live_with_is_found(change: Change, thing: str) -> None:
    assert thing in dict(changed(change))


FREE: list[tuple[str, Change]] = [
    ("nothing", lambda _of: None),
    ("operation", lambda of: of.paths.update({"/plans": copy.deepcopy(of.paths["/policies"])})),
    ("method", lambda of: of.paths["/orders"].update(get=copy.deepcopy(of.policies))),
    (
        "a name in the path",
        lambda of: (
            of.paths.update({"/orders/{order}": of.paths.pop("/orders/{reference}")}),
            of.ask["parameters"][0].update(name="order"),
        ),
    ),
    ("fewer credentials", lambda of: of.place.update(security=[])),
    ("one caller more", lambda of: of.place["security"].append({"agent": []})),
    ("parameter", lambda of: of.ask["parameters"].append({"in": "query", "name": "v", "schema": {"type": "string"}})),
    ("parameter of any type", lambda of: of.ask["parameters"][1].update(schema={})),
    ("header in other letters", lambda of: of.place["parameters"][0].update(name="idempotency-key")),
    ("body optional", lambda of: of.place["requestBody"].update(required=False)),
    ("body of one more kind", lambda of: of.place["requestBody"]["content"].update({"text/csv": {}})),
    ("field taken", lambda of: of.sent.update(buyer={"type": "string"})),
    ("other fields taken", lambda of: of.order.pop("additionalProperties")),
    ("field optional", lambda of: of.order["required"].remove("plan")),
    ("value taken", lambda of: of.sent["plan"]["enum"].append("month")),
    ("any value taken", lambda of: of.sent["plan"].pop("enum")),
    ("longer", lambda of: of.sent["note"]["anyOf"][0].update(maxLength=500)),
    ("of any length", lambda of: of.sent["note"]["anyOf"][0].pop("maxLength")),
    ("numbers taken", lambda of: of.sent["amount"].update(type="number")),
    ("one more alternative taken", lambda of: of.sent["note"]["anyOf"].insert(0, {"type": "integer"})),
    ("success", lambda of: of.place["responses"].update({"202": {}})),
    ("refusal", lambda of: of.place["responses"].update({"409": {}})),
    ("refusal gone", lambda of: of.place["responses"].pop("422")),
    ("answer gained a field", lambda of: of.fields.update(currency={"type": "string"})),
    ("always there", lambda of: of.view["required"].append("price")),
    ("value not given any more", lambda of: of.fields["status"]["enum"].pop()),
    ("never null", lambda of: of.fields.update(trace={"type": "string"})),
    ("closed values", lambda of: of.fields["word"].update(enum=["a", "b"])),
    ("remarks", lambda of: of.fields["price"].update(title="Price", description="In minor units", examples=[1])),
    ("schema by another name", lambda of: rename(of.document)),
]


def rename(document: Document) -> None:
    schemas = document["components"]["schemas"]
    schemas["OrderView"] = schemas["View"]
    document["paths"]["/orders/{reference}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = {
        "$ref": "#/components/schemas/OrderView"
    }


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in FREE])
def test_additions_are_free(change: Change) -> None:
    assert changed(change) == []
