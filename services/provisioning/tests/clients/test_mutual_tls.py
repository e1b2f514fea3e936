"""ES2+ over TLS to a server that demands a certificate, and shows its own (SGP.22 v2.5 section 6.4)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from pydantic import ValidationError

from provisioning.settings import OperatorSettings
from sandbox.testing import RunningSandbox
from shared.contracts import ProfileFailed, ProfileGenerated

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Start


Files = dict[str, str]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def client_files(folder: Path, authority: trustme.CA) -> Files:
    """Our certificate and key, as settings name them."""
    folder.mkdir()
    issued = authority.issue_cert("shop.example")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return {"tls_certificate": str(folder / "certificate.pem"), "tls_key": str(folder / "key.pem")}


@asynccontextmanager
async def demanding(sandbox: RunningSandbox, authority: trustme.CA) -> AsyncIterator[str]:
    """The operator of the sandbox behind TLS that demands a certificate of this authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    port = int(sandbox.http_url.rpartition(":")[2])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with AsyncExitStack() as stack:
        stack.callback(server.close)
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/operator"


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass  # the other side has hung up
    finally:
        writer.close()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Files:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return {"tls_authority": str(tmp_path / "authority.pem")}


async def test_an_order_with_our_certificate(
    start: "Start", sandbox: RunningSandbox, authority: trustme.CA, trusted: Files, tmp_path: Path
) -> None:
    async with demanding(sandbox, authority) as url:
        shown = client_files(tmp_path / "ours", authority)
        running = await start(operators=[{"name": "primary", "url": url, **trusted, **shown}])
        await running.paid()
        [made] = await running.stage.events(ProfileGenerated)
        [profile] = await sandbox.ledger_operator()
        assert (profile["iccid"], profile["state"]) == (made.event.iccid, "released")


def nothing(_folder: Path, _authority: trustme.CA) -> Files:
    return {}


def of_a_stranger(folder: Path, _authority: trustme.CA) -> Files:
    return client_files(folder, trustme.CA())


@pytest.mark.parametrize("shown", [nothing, of_a_stranger])
async def test_without_it_nothing_is_ordered(
    start: "Start",
    sandbox: RunningSandbox,
    authority: trustme.CA,
    trusted: Files,
    tmp_path: Path,
    shown: Callable[[Path, trustme.CA], Files],
) -> None:
    async with demanding(sandbox, authority) as url:
        entry = {"name": "primary", "url": url, **trusted, **shown(tmp_path / "shown", authority)}
        running = await start(operators=[entry], provisioning_deadline_seconds=1)
        await running.paid()
        [failed] = await running.stage.events(ProfileFailed)
        assert failed.event.operator == "primary"
        assert await sandbox.ledger_operator() == []


async def test_a_server_of_another_authority_receives_nothing(
    start: "Start", sandbox: RunningSandbox, authority: trustme.CA, tmp_path: Path
) -> None:
    other = trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    async with demanding(sandbox, authority) as url:
        shown = client_files(tmp_path / "ours", authority)
        entry = {"name": "primary", "url": url, "tls_authority": str(tmp_path / "other.pem"), **shown}
        running = await start(operators=[entry], provisioning_deadline_seconds=1)
        await running.paid()
        await running.stage.events(ProfileFailed)
        assert await sandbox.requests("es2plus") == []


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        OperatorSettings(name="primary", url="https://x", tls_certificate=Path("certificate.pem"))
