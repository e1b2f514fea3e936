"""ES2+ with an independent implementation (pySim): run by `make interop`, which names the path of pySim."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from prometheus_client import CollectorRegistry

from local_stack.ports import free_ports
from provisioning.clients.context import ClientContext
from provisioning.clients.es2plus.client import Es2PlusOperator
from provisioning.clients.http_calls import calls_counter
from provisioning.clients.models import (
    Cancellation,
    OperatorNotSent,
    OperatorProfile,
    OperatorRefused,
    OperatorUnknown,
    ProfileOrder,
    ProfileRef,
)
from provisioning.clients.unparsed_fields import UnparsedFields
from provisioning.settings import OperatorSettings
from sandbox.testing import RunningSandbox
from shared.contracts import ProfileGenerated, ProfileObserved
from shared.outcomes import NotDue
from shared.testing.documents import Json, JsonObject
from shared.testing.outcomes import value_of

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Start


PEERS = Path(__file__).parents[4] / "deploy" / "interop" / "peers"
ICCID = "8999702000000000013"
EID = "89049032000000000000000000000000"
PATIENCE_SECONDS = 20.0


def peer(program: str, *arguments: str) -> Coroutine[None, None, asyncio.subprocess.Process]:
    """Start a program in pySim's own environment."""
    environment = {**os.environ, "PYTHONPATH": os.environ["INTEROP_PYSIM"], "PYTHONUNBUFFERED": "1"}
    return asyncio.create_subprocess_exec(
        os.environ["INTEROP_PYTHON"],
        str(PEERS / program),
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def server(program: str, state: Path, *certificates: Path) -> AsyncIterator[int]:
    """A server of pySim's, on a free port, until the end of the block."""
    [port] = free_ports(1)
    process = await peer(program, str(port), str(state), *map(str, certificates))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert process.returncode is None, f"{program} ended with {process.returncode}"
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def read(state: Path) -> Json:
    """What a server of pySim's has written down."""
    return json.loads(state.read_text())


async def client(url: str, *calls: tuple[str, JsonObject]) -> list[JsonObject]:
    """What pySim's client makes of these calls."""
    process = await peer("client.py")
    job = json.dumps({"url": url, "calls": calls}).encode()
    output, _ = await asyncio.wait_for(process.communicate(job), PATIENCE_SECONDS)
    assert process.returncode == 0
    results: list[JsonObject] = json.loads(output)
    return results


def eid(serial: int) -> str:
    body = f"{89049032:08d}{serial:022d}00"
    return f"{int(body) + 98 - int(body) % 97}"


# --- pySim's client and our sandbox -----------------------------------------------------------------------------------


async def test_their_client_orders_at_our_stand(sandbox: RunningSandbox) -> None:
    order = {"iccid": ICCID, "profileType": "TR-STD", "eid": eid(1)}
    results = await client(
        sandbox.operator_url,
        ("downloadOrder", order),
        ("confirmOrder", {"iccid": ICCID, "matchingId": "PYSIM-1", "releaseFlag": False}),
        ("releaseProfile", {"iccid": ICCID}),
        ("downloadOrder", order),
        ("cancelOrder", {"iccid": ICCID, "matchingId": "OTHER", "finalProfileStatusIndicator": "Unavailable"}),
        ("cancelOrder", {"iccid": ICCID, "matchingId": "PYSIM-1", "finalProfileStatusIndicator": "Unavailable"}),
        ("downloadOrder", {"profileType": "TR-STD"}),
    )
    reserved, confirmed, released, again, wrong, cancelled, any_of_them = results
    assert reserved["answer"]["iccid"] == ICCID
    assert confirmed["answer"]["matchingId"] == "PYSIM-1"
    assert confirmed["answer"]["smdpAddress"] == "smdp.sandbox.example"
    assert confirmed["answer"]["eid"] == eid(1)
    assert released["answer"]["header"]["functionExecutionStatus"]["status"] == "Executed-Success"
    assert again["failed"] == ["8.2.1", "3.3"]
    assert wrong["failed"] == ["8.2.6", "3.10"]
    assert "answer" in cancelled
    assert len(any_of_them["answer"]["iccid"]) == 19
    states = {one["iccid"]: one["state"] for one in await sandbox.ledger_operator()}
    assert states == {ICCID: "cancelled", any_of_them["answer"]["iccid"]: "reserved"}


async def test_their_client_reads_our_refusals(sandbox: RunningSandbox) -> None:
    await sandbox.operator_catalogue(stock={"TR-STD": 0}, profile_types=["TR-STD"])
    results = await client(
        sandbox.operator_url,
        ("downloadOrder", {"profileType": "TR-STD"}),
        ("downloadOrder", {"profileType": "nobody's"}),
        ("confirmOrder", {"iccid": ICCID, "matchingId": "A", "releaseFlag": True}),
    )
    assert [one["failed"] for one in results] == [["8.2.5", "3.7"], ["8.2.5", "3.9"], ["8.2.1", "3.9"]]


async def test_their_server_is_notified_by_our_stand(sandbox: RunningSandbox, tmp_path: Path) -> None:
    state = tmp_path / "notifications.json"
    await client(
        sandbox.operator_url,
        ("downloadOrder", {"iccid": ICCID, "profileType": "TR-STD"}),
        ("confirmOrder", {"iccid": ICCID, "matchingId": "A", "releaseFlag": True}),
    )
    async with server("mno.py", state) as port:
        url = f"http://127.0.0.1:{port}/gsma/rsp2/es2plus/handleDownloadProgressInfo"
        played = await sandbox.phone(ICCID, 3, "4", url=url, eid=eid(7))
    assert played["answers"] == [204, 204]
    notifications = read(state)
    assert [one["notificationPointId"] for one in notifications] == [3, 4]
    assert [(one["iccid"], one["eid"], one["profileType"]) for one in notifications] == [(ICCID, eid(7), "TR-STD")] * 2


# --- our adapter and pySim's server -----------------------------------------------------------------------------------


@pytest.fixture
async def adapter(start: "Start") -> AsyncIterator[Callable[..., Es2PlusOperator]]:
    """`adapter(url, **settings)`."""
    service = (await start(operator_adapter="instant")).service
    made: list[Es2PlusOperator] = []

    def build(url: str, **settings: object) -> Es2PlusOperator:
        registry = CollectorRegistry()
        tools = ClientContext(
            service.tracing, calls_counter(registry), service.clock, service.database, UnparsedFields(registry)
        )
        made.append(Es2PlusOperator(OperatorSettings(name="pysim", url=url, timeout_seconds=5, **settings), tools))
        return made[-1]

    yield build
    for one in made:
        await one.close()


def certificate(folder: Path, authority: trustme.CA) -> dict[str, Path]:
    """Ours, as settings."""
    folder.mkdir()
    issued = authority.issue_cert("shop.example")
    files = {"tls_certificate": folder / "certificate.pem", "tls_key": folder / "key.pem"}
    issued.cert_chain_pems[0].write_to_path(files["tls_certificate"])
    issued.private_key_pem.write_to_path(files["tls_key"])
    return files


async def the_way_of_an_order(operator: Es2PlusOperator, state: Path) -> None:
    wanted = ProfileOrder("10000001", "TR-STD", ICCID, "MATCHING-1")
    made = value_of(await operator.order(wanted, trace=None))
    assert made == OperatorProfile("smdp.pysim.example", "MATCHING-1")
    assert value_of(await operator.order(wanted, trace=None)) == made
    held = read(state)
    assert held["profiles"] == {ICCID: {"state": "released", "type": "TR-STD", "matchingId": "MATCHING-1"}}
    header = held["calls"][0]["data"]["header"]
    assert set(header) == {"functionRequesterIdentifier", "functionCallIdentifier"}
    other = ProfileRef("10000002", "TR-STD", ICCID, "MATCHING-2")
    refused = value_of(await operator.cancel(other, trace=None))
    assert isinstance(refused, Cancellation | OperatorRefused)
    assert read(state)["profiles"][ICCID]["state"] == "released"
    profile = ProfileRef("10000001", "TR-STD", ICCID, "MATCHING-1", delivered=True)
    assert isinstance(value_of(await operator.cancel(profile, trace=None)), Cancellation)
    assert read(state)["profiles"][ICCID]["state"] == "cancelled"
    unknown = ProfileRef("10000003", "TR-STD", "8999702000000000021", "MATCHING-3")
    never = value_of(await operator.cancel(unknown, trace=None))
    assert isinstance(never, Cancellation)


async def test_our_adapter_orders_at_their_server(adapter: Callable[..., Es2PlusOperator], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with server("smdp.py", state) as port:
        await the_way_of_an_order(adapter(f"http://127.0.0.1:{port}"), state)


async def test_our_adapter_orders_at_their_server_over_mutual_tls(
    adapter: Callable[..., Es2PlusOperator], tmp_path: Path
) -> None:
    state, authority = tmp_path / "state.json", trustme.CA()
    trusted, theirs = tmp_path / "authority.pem", tmp_path / "server.pem"
    authority.cert_pem.write_to_path(trusted)
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(theirs)
    ours = certificate(tmp_path / "ours", authority)
    async with server("smdp.py", state, theirs, trusted) as port:
        url = f"https://localhost:{port}"
        for shown in ({}, certificate(tmp_path / "stranger", trustme.CA())):
            refused = adapter(url, tls_authority=trusted, **shown)
            answer = value_of(await refused.order(ProfileOrder("1", "TR-STD", ICCID, "MATCHING-1"), trace=None))
            assert isinstance(answer, OperatorNotSent | NotDue | OperatorUnknown)
            assert not state.exists()
        await the_way_of_an_order(adapter(url, tls_authority=trusted, **ours), state)


async def test_a_paid_order_is_made_at_their_server(start: "Start", tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with server("smdp.py", state) as port:
        running = await start(operator_url=f"http://127.0.0.1:{port}")
        await running.paid()
        [made] = await running.stage.events(ProfileGenerated)
        [(iccid, profile)] = read(state)["profiles"].items()
    assert iccid == made.event.iccid
    code = running.opener.open(made.event.activation_code).decode()
    assert code == f"LPA:1$smdp.pysim.example${profile['matchingId']}"


async def test_their_client_notifies_our_service(start: "Start", sandbox: RunningSandbox) -> None:
    running = await start(notification_secrets={"primary": "a-long-secret"})
    order = await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    url = f"{running.address}/operators/primary/key/a-long-secret"
    notification = {
        "iccid": made.event.iccid,
        "profileType": "TR-STD",
        "eid": eid(7),
        "notificationPointStatus": {"status": "Executed-Success"},
    }
    at = {"timestamp": (order.paid_at).isoformat(timespec="seconds")}
    results = await client(
        url,
        ("handleDownloadProgressInfo", notification | at | {"notificationPointId": 3}),
        ("handleDownloadProgressInfo", notification | at | {"notificationPointId": 4}),
    )
    assert results == [{"answer": None}] * 2
    [seen] = await running.stage.events(ProfileObserved, where=lambda e: e.install.state == "installed")
    assert (seen.event.iccid, seen.event.install.source) == (made.event.iccid, "es2plus-notification")
