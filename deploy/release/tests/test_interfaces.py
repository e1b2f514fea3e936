"""The documents of the interfaces: what the code says, valid, described, with examples that are right."""

import asyncio
import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.services import built
from local_stack.product import OPERATIONS, SERVICES
from release.asking import operations, unasked
from release.interfaces import DOCUMENTED, KINDS, documents, path_of, text
from shared.contracts import EVENTS, OrderSubmitted
from shared.contracts.examples import EXAMPLES
from shared.interfaces.page import page
from shared.kernel.service import Service
from shared.messaging.cloudevents import read_body, read_envelope
from shared.messaging.topics import owned_topics
from shared.testing.documents import JsonObject

HERE = Path(__file__).parent
NAMING = {"OrderPaid", "ProfileGenerated", "QrDelivered", "RefundRequested"}
Document = JsonObject
#: By component and kind.
Documents = dict[str, dict[str, Document]]


@pytest.fixture(scope="module")
def generated() -> Documents:
    return asyncio.run(documents())


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    return asyncio.run(built([*SERVICES, OPERATIONS]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_committed_is_what_the_code_says(generated: Documents, name: str, kind: str) -> None:
    assert path_of(name, kind).read_text(encoding="utf-8") == text(generated[name][kind]), "run `make interfaces`"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_openapi_is_valid_to_its_parser(generated: Documents, name: str) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415 - it imports jsonschema, see below

    assert [str(one) for one in OpenAPIV31SpecValidator(generated[name]["openapi"]).iter_errors()] == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_asyncapi_is_valid_by_its_official_schema(generated: Documents, name: str) -> None:
    import jsonschema  # noqa: PLC0415 - it compiles 38 grammars, for seconds; each process collects this file

    schema = json.loads(gzip.decompress((HERE / "data" / "asyncapi-3.0.0.schema.json.gz").read_bytes()))
    assert [one.message for one in jsonschema.Draft7Validator(schema).iter_errors(generated[name]["asyncapi"])] == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_reference_inside_a_document_leads_somewhere(generated: Documents, name: str) -> None:
    for document in generated[name].values():
        for reference in references(document):
            found = document
            for word in reference.removeprefix("#/").split("/"):
                found = found[word]


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_http_operation_is_described(generated: Documents, services: dict[str, Service], name: str) -> None:
    document = generated[name]["openapi"]
    chapters = {tag["name"]: tag["description"] for tag in document["tags"]}
    for operation, one in operations(document):
        assert one["summary"].endswith("."), f"{operation} has no docstring: {one['summary']!r}"
        assert all(chapters.get(tag) for tag in one["tags"]), f"{operation}: a tag without a description"
        refusals = {status for status in one["responses"] if status == "default" or status >= "400"}
        assert "default" in refusals
        for status in refusals - ({"503"} if operation == "GET /health/ready" else set()):
            assert set(one["responses"][status]["content"]) == {"application/problem+json"}
    identities = [one["operationId"] for _, one in operations(document)]
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("name", DOCUMENTED)
async def test_the_interface_names_the_operations_that_need_credentials(
    generated: Documents, services: dict[str, Service], name: str
) -> None:
    """Asked without any, exactly those operations answer 401 that name a caller; nothing behind them is reached."""
    document = generated[name]["openapi"]
    answers = await unasked(services[name].app, document)
    assert len(answers) == len(list(operations(document))) - 1
    for operation, one in operations(document):
        if (answer := answers.get(operation)) is None:
            continue  # whether it is ready: that waits for a broker
        if one["security"]:
            assert answer.status_code == 401, f"{operation}: {answer.status_code} {answer.text[:200]}"
        else:
            assert answer.status_code != 401 or "{secret}" in operation, f"{operation} asks for credentials"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_of_http_are_what_their_schemas_say(generated: Documents, name: str) -> None:
    import jsonschema  # noqa: PLC0415 - see above

    document = generated[name]["openapi"]
    for operation, one in operations(document):
        contents = [one.get("requestBody", {}).get("content", {})]
        contents += [answer.get("content", {}) for answer in one["responses"].values()]
        for content in contents:
            for media in content.values():
                if "example" in media:
                    schema = {**media["schema"], "components": document["components"]}
                    assert list(jsonschema.Draft202012Validator(schema).iter_errors(media["example"])) == [], operation


def test_the_main_calls_have_examples(generated: Documents) -> None:
    shown = {
        operation
        for name in DOCUMENTED
        for operation, one in operations(generated[name]["openapi"])
        if "example" in json.dumps(one.get("requestBody", {}))
        or "example" in json.dumps(one["responses"].get("200", {}))
    }
    assert shown >= {
        "POST /orders",
        "GET /orders/{reference}",
        "POST /orders/{order_id}/payment",
        "POST /orders/{order}/refund-requests",
        "GET /orders/{order}/refund-eligibility",
    }


@pytest.mark.parametrize("name", DOCUMENTED)
def test_asyncapi_tells_every_topic_that_is_written_or_read(
    generated: Documents, services: dict[str, Service], name: str
) -> None:
    document = generated[name]["asyncapi"]
    declared = {(one["action"], one["channel"]["$ref"].rpartition("/")[2]) for one in document["operations"].values()}
    written = {("send", topic) for topic in owned_topics(name) if not topic.startswith("storefront.")}
    # The shops' own topics are one channel, whose address names the shop as a parameter.
    shops = re.compile(r"storefront\.[^.]+\.orders")
    read = {OrderSubmitted.topic if shops.fullmatch(topic) else topic for topic in services[name].consumer.topics}
    updates = {("send", "storefront.updates")} if name == "ordering" else set()
    assert declared == written | updates | {("receive", topic) for topic in read}
    for one in [*document["operations"].values(), *document["components"]["messages"].values()]:
        assert one["summary"].endswith(".")
        assert one["description"]


def test_the_examples_of_events_can_be_read_by_the_code(generated: Documents) -> None:
    import jsonschema  # noqa: PLC0415 - see above

    shown = set()
    for name in DOCUMENTED:
        document = generated[name]["asyncapi"]
        for message in document["components"]["messages"].values():
            for example in message.get("examples", ()):
                topic = next(one.topic for one in EVENTS.values() if one.__name__ == message["name"])
                headers = example["headers"]
                envelope = read_envelope(headers, topic, None)
                assert read_body(topic, envelope.type, json.dumps(example["payload"]).encode()) == EXAMPLES[topic]
                jsonschema.validate(headers, message["headers"])
                schema = {**message["payload"], "components": document["components"]}
                jsonschema.validate(example["payload"], schema)
                shown.add(message["name"])
    assert shown >= NAMING


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_page_of_events_shows_them_all_and_fetches_nothing(generated: Documents, name: str) -> None:
    shown = page(generated[name]["asyncapi"])
    for topic in generated[name]["asyncapi"]["channels"]:
        assert topic in shown
    assert "http://" not in shown
    assert "https://" not in shown.replace("https://shop.example", "")


def test_the_official_parser_of_asyncapi_agrees(generated: Documents, tmp_path: Path) -> None:
    """npm's `@asyncapi/parser`, where node is and the package can be had; the official schema is always asked."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("no node on this machine: the official JSON Schema alone has been asked")
    installed = subprocess.run(  # noqa: S603 - npm, with words of ours
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "@asyncapi/parser@3"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    if installed.returncode:
        pytest.skip("@asyncapi/parser cannot be had here: the official JSON Schema alone has been asked")
    (tmp_path / "ask.mjs").write_text(PARSER)
    for name in DOCUMENTED:
        (tmp_path / f"{name}.json").write_text(json.dumps(generated[name]["asyncapi"]))
    files = [f"{name}.json" for name in DOCUMENTED]
    answer = subprocess.run(  # noqa: S603 - as above
        [node, "ask.mjs", *files], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(answer.stdout) == {file: [] for file in files}


#: Errors and warnings; that there is a newer AsyncAPI than 3.0 is neither.
PARSER = """
import { Parser } from '@asyncapi/parser';
import fs from 'fs';
const found = {};
for (const file of process.argv.slice(2)) {
  const { diagnostics } = await new Parser().parse(fs.readFileSync(file, 'utf8'));
  found[file] = diagnostics.filter(one => one.severity < 2).map(one => one.message);
}
console.log(JSON.stringify(found));
"""
