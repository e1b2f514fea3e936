"""Hostile values at every HTTP route of every service, from their OpenAPI documents and, for bodies that no document
describes, from a table. A value is refused with the name of its field, or it is taken; it is never a fault of ours.

They are thousands of requests: a run throws those of its slice (`shared.testing.slices`), all slices all of them.
"""

import asyncio
import copy
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from local_stack.ports import free_ports
from local_stack.processes import ManagedProcess
from local_stack.product import OPERATIONS, TELEGRAM_SECRET, TELEGRAM_SHOP
from product.harness import Running
from product.rights import as_service, drop_service
from product.running import NAMES, READY_SECONDS, Product
from product.whole import whole
from release.asking import operations, smallest
from shared.testing import slices
from shared.testing.databases import new_database
from shared.testing.documents import Json, JsonObject
from shared.testing.garbage import Path as FieldPath

HERE = Path(__file__).parent
Document = JsonObject
SHOP = "esimka"
TEXTS = [
    "a\x00b",
    "\x00",
    "\x07",
    "\x1b[31m",
    "\x85",
    "\u2028",
    "\u202eabc",
    "\ufffe",
    "x" * 20_000,
    "%00",
    "'\"<>",
    " ",
]
NUMBERS = [2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, -1, 0.5, 1e308, True]
MOMENTS = [
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"),
    *("0001-01-01", "9999-12-31", "2026-01-01T00:00:00", "-1", "1e400", "99999999999999"),
]
#: In bodies only: an escape of JSON that no UTF-8 can carry, and other kinds of JSON values.
OTHERS = ["\ud800", None, [], {}, ["\x00"], {"\x00": "\x00"}]
#: Names of fields that no body has.
UNKNOWN = ["\ud800", "\x00", "x" * 5000, "\x1b[31m", "no such"]
#: What a server lets through in a header.
HEADERS = ["\x80\x9f", "\xff", "x" * 5000, "=?utf-8?b?AA==?="]
#: Said where something that a test does not start is not there; no fault.
AWAY = frozenset({"urn:problem:bank-away", "urn:problem:codes-not-configured", "urn:problem:export-not-configured"})

WEBHOOK = {
    "id": "0b6bd5e5-7c1f-4a53-a2a4-9d7f6a4b6f11",
    "invoiceId": "123456789",
    "code": "ok",
    "reasonCode": 0,
    "amount": 1,
    "currency": "KZT",
    "secret_hash": "0" * 32,
}
UPDATE = {
    "update_id": 1,
    "message": {
        "chat": {"id": 1, "type": "private"},
        "from": {"id": 1, "language_code": "en"},
        "text": "/start",
        "caption": "x",
        "photo": [{"file_id": "x"}],
        "contact": {"phone_number": "77011234567", "user_id": 1},
    },
}
#: Bodies that are read by hand, by service and operation.
BY_HAND: dict[tuple[str, str], Document] = {
    ("payments", "POST /epay/webhook"): WEBHOOK,
    ("refunds", "POST /telegram/{storefront}"): UPDATE,
}


pytestmark = pytest.mark.xdist_group("hostile values")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One of their own: orders that nobody pays and records that cannot be read are left in it."""
    yield from whole(tmp_path_factory.mktemp("product"))


@dataclass
class Case:
    """A request with one hostile value; `name` is what a refusal has to name."""

    operation: str
    name: str
    value: object
    path: str
    headers: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    body: object = None

    @property
    def caller(self) -> str:
        """Who asks."""
        return self.headers.get("Authorization", "")

    def __str__(self) -> str:
        return f"{self.operation} {self.name}={ascii(self.value)[:60]}"


class Target:
    """A service, what its document says, and keys of whoever may ask."""

    def __init__(self, name: str, url: str, environment: dict[str, str], order: str) -> None:
        self.name, self.url, self._order = name, url, order
        self._environment = environment

    def key(self, scheme: str) -> dict[str, str]:
        """What a caller of this kind shows."""
        if scheme == "telegram":
            return {"X-Telegram-Bot-Api-Secret-Token": TELEGRAM_SECRET}
        if scheme == "whatsapp":
            return {"X-Hub-Signature-256": "sha256=of-another-body"}
        holders = {"agent": "AGENT_KEYS", "storefront": "STOREFRONT_KEYS", "operations": "OPERATIONS_KEYS"}
        if scheme in holders:
            keys = json.loads(self._environment[holders[scheme]])
            return {"Authorization": f"Bearer {keys.get(SHOP) or next(iter(keys.values()))}"}
        single = {"neighbour": "PRIVACY_KEY", "mail-system": "BOUNCE_KEY"}
        return {"Authorization": f"Bearer {self._environment.get(single.get(scheme, ''), 'x')}"}

    def cases(self, document: Document) -> Iterator[Case]:
        """One for each place and hostile value."""
        for operation, described in operations(document):
            if operation in ("GET /health/ready", "GET /health/live", "GET /metrics"):
                continue
            for scheme in [next(iter(one)) for one in described.get("security") or [{"none": []}]]:
                yield from self._of(operation, described, document, self.key(scheme))

    def _of(self, operation: str, described: Document, document: Document, key: dict[str, str]) -> Iterator[Case]:
        body = self._body(operation, described, document)
        parameters = described.get("parameters", [])
        yield self._case(operation, parameters, key, body)  # what is refused of it anyway
        for one in parameters:
            for value in HEADERS if one["in"] == "header" else [*TEXTS, *NUMBERS, *MOMENTS]:
                yield self._case(operation, parameters, key, body, (one, value))
        for where in leaves(body):
            for value in [*TEXTS, *NUMBERS, *MOMENTS, *OTHERS]:
                made = self._case(operation, parameters, key, changed(body, where, value))
                made.name, made.value = str(where[-1]), value
                yield made
        if isinstance(body, dict):
            for name in UNKNOWN:
                made = self._case(operation, parameters, key, body | {name: 1})
                made.name, made.value = "?", name
                yield made

    def _case(
        self,
        operation: str,
        parameters: list[Document],
        key: dict[str, str],
        body: object,
        hostile: tuple[Document, object] | None = None,
    ) -> Case:
        named, value = hostile or ({}, None)
        case = Case(operation, named.get("name", ""), value, operation.split(" ")[1], {**key}, body=body)
        for one in parameters:
            name, where = one["name"], one["in"]
            if one is not named and where != "path" and not one.get("required"):
                continue
            text = str(value) if one is named else self._known(name)
            if where == "path":
                case.path = case.path.replace(f"{{{name}}}", quote(text, safe=""))
            else:
                (case.headers if where == "header" else case.params)[name] = text
        return case

    def _known(self, parameter: str) -> str:
        if parameter in ("reference", "order", "order_id"):
            return self._order
        if parameter == "idempotency-key":
            return secrets.token_hex(8)
        return TELEGRAM_SHOP if parameter == "storefront" else "00000000-0000-7000-8000-000000000000"

    def _body(self, operation: str, described: Document, document: Document) -> Json:
        if (self.name, operation) in BY_HAND:
            return BY_HAND[self.name, operation]
        media = described.get("requestBody", {}).get("content", {}).get("application/json")
        if media is None:
            return None
        body = media.get("example") or smallest(media["schema"], document)
        whole = filled(media["schema"], document) | body if isinstance(body, dict) else body
        # What is well in a request must do no harm: nothing is decided, no newsletter is sent.
        harmless = {"dry_run": True, "storefront": "no-such-shop"}
        return whole | {name: value for name, value in harmless.items() if name in whole}


def filled(schema: Document, document: Document) -> Document:
    """A value for each property of a body, so that each is tried."""
    return {name: smallest(one, document) for name, one in _resolved(schema, document).get("properties", {}).items()}


def _resolved(schema: Document, document: Document) -> Document:
    found: Json = schema
    while "$ref" in found:
        target: Json = document
        for word in found["$ref"].removeprefix("#/").split("/"):
            target = target[word]
        found = target
    return dict(found)


def leaves(value: object, above: FieldPath = ()) -> Iterator[FieldPath]:
    """Where a JSON value holds something: each field, also those that hold fields."""
    if above:
        yield above
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, (*above, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from leaves(part, (*above, number))


def changed(body: Json, where: FieldPath, value: object) -> Json:
    """The body with this value in that place."""
    made = copy.deepcopy(body)
    inner = made
    for part in where[:-1]:
        inner = inner[part]
    inner[where[-1]] = value
    return made


@dataclass
class Answer:
    """A status and a problem's kind and fields, where it is one."""

    status: int
    kind: str
    fields: frozenset[str]
    text: str

    @classmethod
    def of(cls, answer: httpx.Response) -> "Answer":
        """Of what was answered."""
        problem = answer.headers.get("content-type", "").startswith("application/problem+json")
        body = answer.json() if problem and answer.content else {}  # a HEAD has no body
        fields = frozenset(error["field"] for error in body.get("errors", ()))
        return cls(answer.status_code, body.get("type", ""), fields, answer.text[:200])


async def ask(http: httpx.AsyncClient, target: Target, case: Case) -> Answer | None:
    """The answer to a case; None where no client can send it."""
    content = None if case.body is None else json.dumps(case.body).encode()
    headers = [(name.encode(), value.encode("latin-1")) for name, value in case.headers.items()]
    headers.append((b"content-type", b"application/json"))
    method, url = case.operation.split(" ")[0], f"{target.url}{case.path}"
    try:
        return Answer.of(await http.request(method, url, params=case.params, content=content, headers=headers))
    except httpx.LocalProtocolError:
        return None


def complaint(case: Case, answer: Answer, usual: Answer | None) -> str:
    """What is wrong with an answer; empty where nothing is. `usual`: the answer to the same without a hostile value."""
    if answer.status >= 500 and answer.kind not in AWAY:
        return f"{case}: {answer.status} {answer.text}"
    known = frozenset() if usual is None else usual.fields
    if answer.status != 422 or (usual is not None and usual.kind == answer.kind and answer.fields <= known):
        return ""
    if any(case.name in one or one in ("body", "?") for one in answer.fields):
        return ""
    return f"{case}: 422 does not name the field: {answer.text}"


async def thrown(target: Target) -> list[str]:
    """Throw everything; what went wrong."""
    usual: dict[tuple[str, str], Answer | None] = {}
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        document = (await http.get(f"{target.url}/openapi.json")).json()
        cases = list(target.cases(document))
        hostile = [case for case in cases if case.name]
        waiting = iter(slices.some_of(hostile, slices.of_this_run(HERE)))
        for case in cases:
            if not case.name:
                usual[case.operation, case.caller] = await ask(http, target, case)

        async def complaints_of_the_next() -> list[str]:
            return [
                complaint(case, answer, usual.get((case.operation, case.caller)))
                for case in waiting  # shared: each takes the next one
                if (answer := await ask(http, target, case)) is not None
            ]

        found = [
            sent for several in await asyncio.gather(*(complaints_of_the_next() for _ in range(6))) for sent in several
        ]
    return sorted(set(found) - {""})


@pytest.mark.parametrize("name", NAMES)
async def test_no_value_is_a_fault_of_ours(running: Running, name: str) -> None:
    order = await running.shop.place()
    environment = running.product.services[name].environment
    found = await thrown(Target(name, running.product.url(name), environment, order.id))
    assert found == []
    assert "request_failed" not in running.product.log_text(name)


@asynccontextmanager
async def console(running: Running) -> AsyncIterator[ManagedProcess]:
    product = running.product
    database = await asyncio.to_thread(new_database, OPERATIONS.name)
    product.site.databases[OPERATIONS.name] = await asyncio.to_thread(as_service, database)
    product.site.invent_secrets([OPERATIONS.name], (), ())
    product.site.ports[OPERATIONS.name] = free_ports(1)[0]
    process = product.beside(OPERATIONS)
    process.start()
    try:
        await process.wait_ready(lambda: product.answers(product.site.ports[OPERATIONS.name]), READY_SECONDS)
        yield process
    finally:
        await process.stop()
        await asyncio.to_thread(drop_service, database)


async def test_no_value_is_a_fault_of_operations(running: Running) -> None:
    order = await running.shop.place()
    async with console(running) as process:
        url = f"http://127.0.0.1:{process.environment['HTTP_PORT']}"
        assert await thrown(Target(OPERATIONS.name, url, process.environment, order.id)) == []
