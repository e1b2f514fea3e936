"""A border takes no bare text or number: each field refuses or cleans what no database, page or later step could carry.

Looked at are all parameters, bodies and forms of all HTTP routes, the events that strangers write, and the command
lines. A field is judged by what it does with hostile values, not by how its type is called. What is bare all the same
stands in BARE with its reason; a reason for a field that is not there, or not bare any more, fails too.
"""

import ast
import asyncio
import inspect
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin  # Any: what a field may not be

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from access.services import built
from local_stack.paths import WORK_TREE
from local_stack.product import OPERATIONS, SERVICES
from shared.contracts import EVENTS
from shared.testing.documents import Json
from shared.values.text import storable

_LONGEST = 60_000
_TEXTS = ["a\x00b", "a\x07b", "a\x85b", "a\x1bb", "a\ud800b", "x" * 100_000]
_KEPT = "\t\n"
_HOSTILE: dict[type, Sequence[object]] = {
    str: _TEXTS,
    int: [2**63, -(2**63) - 1, 10**400],
    datetime: [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ],
    date: ["0001-01-01", "9999-12-31"],
}
#: Where a value is, its type, and what else is said of it.
Leaf = tuple[str, object, list[object]]
_BY_HAND = re.compile(r"\.(body|form|json|stream)\(\)|await (read_)?form\(")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

#: By place, as a pattern: why it may be bare.
BARE: dict[str, str] = {
    r".* header [Aa]uthorization": "compared with our keys by its hash",
    r".* header x-on-behalf-of": "shared.operations.callers: 80 printable characters",
    r"ordering POST /orders header idempotency-key": "ordering.intake.rules.validation: one rule for HTTP and Kafka",
    r"ordering GET /orders(\.csv)? query .*": "ordering.orders.rules.read_filters reads the query as a whole",
    r"storefront\.order-submitted\..*": "ordering.intake.rules.validation answers the shop field by field",
    r"refunds POST /telegram/\{storefront\} body .*": "refunds.channels.telegram.models reads it; the rest is ignored",
}

#: Handlers that read a body by their own hands, and what reads it.
BY_HAND: dict[str, str] = {
    "refunds /whatsapp/{storefront}": "refunds.channels.whatsapp.models.read_webhook, once the signature is right",
    "refunds /agents/representations/{representation_id}/evidence": "the form's own token, and files: file_types",
    "refunds /contact/{storefront}": "refunds.channels.contact_form.models.ContactMessage",
    "refunds /orders/{order}/evidence": "refunds.support_mail.rules.file_types reads the file's content",
    "refunds /support-mails/{storefront}": "refunds.support_mail.rules.reading.read_mail reads the whole message",
    "notifications /account/{token}/appeal": "shared.values.text.cleaned and a UUID, and refunds reads them",
    "notifications /account/{token}/cancellation": "whether one word is there",
    "notifications /account/{token}/code": "the form's own token only",
    "notifications /account/{token}/confirm": "notifications.account.rules.rights.read_pending, then ordering",
    "notifications /account/{token}/contact": "ordering reads the new contact",
    "notifications /account/{token}/data": "one of three words",
    "notifications /account/{token}/evidence": "files alone, which refunds reads",
    "notifications /account/{token}/message": "shared.values.text.cleaned, and refunds reads it",
    "notifications /account/{token}/refund": "shared.values.text.cleaned, and refunds reads it",
    "notifications /account/{token}/resend": "the form's own token only",
    "notifications /account/{token}/news": "the form's own token only",
    "notifications /account/{token}/reminders": "whether one word is there",
    "notifications /bounces": "notifications.bounces.rules",
    "notifications /unsubscribe/{token}": "whether one word is there",
    "notifications /account/orders/{storefront}": "the form's own token only",
    "operations /console/api-keys/create": "ordering.keys.models.NewKey, by ordering",
    "operations /console/api-keys/preview": "as it is created",
    "operations /console/api-keys/{key_id}/revoke": "shared.operations.answers.Reason, by ordering",
    "operations /console/dead-letters/decide": "shared.operations.answers, by the service",
    "operations /console/dead-letters/preview": "as it is decided",
    "operations /console/search": "operations.orders hashes or parses the one word",
    "operations /console/sign-in": "the page's form, no body of its own: `sign_in.form()`",
    "operations /console/webhooks/redelivery": "ordering.webhooks, by ordering",
    "operations /console/webhooks/redelivery/preview": "as it is decided",
    "operations /console/webhooks/{endpoint_id}/enable": "shared.operations.answers.Reason, by ordering",
    "operations /console/work/retry": "shared.operations.answers, by the service",
    "ordering /orders": "ordering.intake.rules.validation",
    "payments /epay/webhook": "payments.clients.epay.webhook",
    "provisioning /operators/{operator}/airalo/webhook": "provisioning.clients.airalo.messages",
    "provisioning /operators/{operator}/usage": "provisioning.clients.feed.messages",
    "refunds /agents/sign-in": "as operations",
}

#: Arguments of commands: their type is in the code that follows.
COMMANDS: dict[str, str] = {
    "services/ordering/src/ordering/keys/commands.py --name": "ordering.keys.models.NewKey",
    "services/ordering/src/ordering/keys/commands.py --reason": "shared.operations.answers.Reason",
    "services/ordering/src/ordering/keys/commands.py storefront": "looked up in the catalogue, or among the keys",
    "services/refunds/src/refunds/policy/commands.py --policy": "a version's name or a file's path: looked up",
    "services/refunds/src/refunds/policy/commands.py --since": "refunds.policy.store.moment",
    "services/refunds/src/refunds/policy/commands.py names": "looked up among the policies",
    "shared/src/shared/signin/cli.py name": "letters, digits, dots and hyphens, or looked up",
}


def routes() -> Iterator[tuple[str, RouteContext]]:
    """All of all services, the pages for people too."""
    for name, service in asyncio.run(built([*SERVICES, OPERATIONS])).items():
        yield from ((name, route) for route in iter_route_contexts(service.app.routes) if route.methods)


def fields_of_routes() -> Iterator[Leaf]:
    """Every leaf that a caller may send: where it is, its type, what is said of it."""
    for name, route in routes():
        for kind, alias, field in parameters(route.dependant):
            place = f"{name} {'/'.join(sorted(route.methods or ()))} {route.path} {kind} {alias}"
            yield from leaves(place, field.annotation, list(field.metadata))


def parameters(dependant: Dependant) -> Iterator[tuple[str, str, FieldInfo]]:
    """Those of a handler and of what it depends on."""
    for kind in ("path", "query", "header", "cookie", "body"):
        yield from ((kind, field.alias, field.field_info) for field in getattr(dependant, f"{kind}_params"))
    for one in dependant.dependencies:
        yield from parameters(one)


def fields_of_strangers() -> Iterator[Leaf]:
    """The events that nobody of ours writes."""
    ours = {service.name for service in SERVICES}
    for topic, event in EVENTS.items():
        if event.owner() not in ours:
            yield from leaves(topic, event, [])


def leaves(place: str, annotation: object, metadata: list[object]) -> Iterator[Leaf]:
    """The single values within a type."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from leaves(place, args[0], [*args[1:], *metadata])
    elif origin in (Union, UnionType):
        for arg in args:
            yield from leaves(place, arg, metadata)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from leaves(f"{place}.{field.alias or name}", field.annotation, list(field.metadata))
    elif origin is dict:
        yield from leaves(f"{place}{{}}", args[0], [])
        yield from leaves(f"{place}[]", args[1], [])
    elif args and inspect.isclass(origin) and issubclass(origin, Collection):
        for arg in set(args) - {Ellipsis}:
            yield from leaves(f"{place}[]", arg, [])
    elif annotation is not type(None):
        yield place, annotation, [one for one in metadata if not isinstance(one, FieldInfo)]


def complaint(annotation: object, metadata: list[object]) -> str:
    """What is wrong with a leaf; empty where nothing is."""
    if annotation in (Any, object, dict, list):
        return "may be anything"
    hostile = next((values for kind, values in _HOSTILE.items() if annotation is kind), ())
    described: Json = Annotated[(annotation, *metadata)] if metadata else annotation
    adapter: TypeAdapter[object] = TypeAdapter(described)
    for value in hostile:
        try:
            read = adapter.validate_python(value)
        except ValidationError:
            continue
        if not isinstance(read, str) or not storable(read) or _CONTROL.search(read) or len(read) > _LONGEST:
            return f"takes {str(value)[:40]!r}"
    return ""


def test_no_border_takes_a_bare_value() -> None:
    bare = {
        place: complained
        for place, annotation, metadata in (*fields_of_routes(), *fields_of_strangers())
        if (complained := complaint(annotation, metadata))
    }
    allowed = {place for place in bare if any(re.fullmatch(pattern, place) for pattern in BARE)}
    unused = [pattern for pattern in BARE if not any(re.fullmatch(pattern, place) for place in bare)]
    assert {place: complained for place, complained in bare.items() if place not in allowed} == {}
    assert unused == [], "no such field is bare"


def test_who_reads_a_body_by_hand_says_what_reads_it() -> None:
    found = {f"{name} {route.path}" for name, route in routes() if _BY_HAND.search(source(route))}
    assert found == set(BY_HAND)


def source(route: RouteContext) -> str:
    """The text of a handler, and of the functions that it depends on."""
    return "".join(inspect.getsource(call) for call in calls(route.dependant) if inspect.isfunction(call))


def calls(dependant: Dependant) -> Iterator[Callable[..., object] | None]:
    """What FastAPI calls to answer a request: the handler, and its dependencies."""
    yield dependant.call
    for one in dependant.dependencies:
        yield from calls(one)


def test_no_command_takes_a_bare_argument() -> None:
    found = {
        f"{path.relative_to(WORK_TREE)} {name}"
        for path in sorted(commands())
        for name in arguments(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set(COMMANDS)


def commands() -> Iterator[Path]:
    """The programs that people run, and what they are made of."""
    for root in ("shared/src", "services", "deploy/operations/src", "deploy/fulfil/src"):
        yield from (path for path in (WORK_TREE / root).rglob("*.py") if "tests" not in path.parts)


def arguments(tree: ast.Module) -> Iterator[str]:
    """Those that are neither switches nor of a type or a set of words."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            options = {one.arg: one.value for one in call.keywords}
            switch = isinstance(action := options.get("action"), ast.Constant) and action.value != "append"
            if not switch and not options.keys() & {"type", "choices"}:
                yield str(ast.literal_eval(call.args[0]))


@pytest.mark.parametrize(
    "text",
    ["domain.encode('idna')", '.encode("idna")', "encodings.idna", ".decode('idna')"],
)
def test_the_search_for_the_old_codec_finds_it(text: str) -> None:
    assert _IDNA2003.search(text)


def test_nobody_reads_domains_by_idna2003() -> None:
    """Python's own codec sends the mail for `max@faß.de` to `fass.de`."""
    found = [
        str(path.relative_to(WORK_TREE))
        for root in ("shared/src", "services", "deploy")
        for path in (WORK_TREE / root).rglob("*.py")
        if _IDNA2003.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


_IDNA2003 = re.compile(r"(en|de)code\(\s*[\"']idna[\"']|encodings\.idna")
