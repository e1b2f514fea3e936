import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from local_stack import postgres_files
from local_stack.errors import ComponentFailedError, LocalStackError
from local_stack.ports import LOOPBACK
from local_stack.postgres import Postgres
from local_stack.postgres_files import SHARED_TMP, postgres_server
from local_stack.postgres_home import PREFIX, PostgresHome, remove_abandoned, remove_data
from local_stack.proc import children
from local_stack.testing import eventually, gone

pytestmark = pytest.mark.infra


@pytest.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[Postgres]:
    server = Postgres(tmp_path / "postgres")
    await server.start()
    yield server
    server.kill()


def libpq(url: str) -> str:
    return url.replace("+psycopg", "")


async def test_each_service_has_a_database_that_the_others_cannot_enter(postgres: Postgres) -> None:
    urls = await postgres.create_databases(["ordering", "payments"])
    for role in (urls.services, urls.owners):
        intruder = libpq(role["payments"]).removesuffix("/payments") + "/ordering"
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(intruder)
    assert await postgres.create_databases(["ordering", "payments"]) == urls, "asking again changes nothing"


async def test_committed_rows_port_and_passwords_survive_kill_stop_and_a_new_runner(postgres: Postgres) -> None:
    url = libpq((await postgres.create_databases(["ordering"])).owners["ordering"])
    with psycopg.connect(url) as connection:
        connection.execute("create table t (x int)")
        connection.execute("insert into t values (1)")
    backends = children(postgres.pid or 0)
    postgres.kill()
    eventually(lambda: gone(*backends), "the backends are gone")
    await postgres.start()
    with psycopg.connect(url) as connection:
        connection.execute("insert into t values (2)")
    await postgres.stop()
    other = Postgres(postgres.directory, port=postgres.port)
    await other.start()
    try:
        with psycopg.connect(url) as connection:
            assert connection.execute("select x from t order by x").fetchall() == [(1,), (2,)]
    finally:
        other.kill()


async def test_a_port_that_is_still_open_after_a_kill_is_waited_for(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.kill()
    refusals = postgres.log.read_text().count("could not create any TCP/IP sockets")
    with socket.create_server((LOOPBACK, postgres.port)):
        starting = asyncio.create_task(postgres.start())
        while postgres.log.read_text().count("could not create any TCP/IP sockets") == refusals:
            assert not starting.done()
            await asyncio.sleep(0.02)
    await starting
    postgres.kill()
    monkeypatch.setattr("local_stack.postgres.PREDECESSOR_SECONDS", 0.2)
    with socket.create_server((LOOPBACK, postgres.port)), pytest.raises(ComponentFailedError, match=r"exited \(1\)"):
        await postgres.start()


async def test_it_is_durable_and_reachable_from_this_machine_only(postgres: Postgres) -> None:
    with psycopg.connect(postgres.admin_url) as connection:
        settings = {
            name: connection.execute("select current_setting(%s)", [name]).fetchone()
            for name in ("fsync", "synchronous_commit", "listen_addresses", "unix_socket_directories", "data_checksums")
        }
    assert settings == {
        "fsync": ("on",),
        "synchronous_commit": ("on",),
        "listen_addresses": ("127.0.0.1",),
        "unix_socket_directories": ("",),
        "data_checksums": ("on",),
    }


async def test_a_frozen_server_stalls_and_goes_on(postgres: Postgres) -> None:
    async with await psycopg.AsyncConnection.connect(postgres.admin_url) as connection:
        postgres.pause()
        query = asyncio.create_task(connection.execute("select 1"))
        done, _ = await asyncio.wait({query}, timeout=0.5)
        assert not done
        postgres.resume()
        await asyncio.wait_for(query, 10)


async def test_a_pid_file_whose_number_now_belongs_to_another_program_is_no_obstacle(postgres: Postgres) -> None:
    postgres.kill()
    assert postgres._home is not None
    pid_file = postgres._home.data / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    await postgres.start()


async def test_without_an_installed_server_the_wheels_programs_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_files, "_newest_installed", lambda: None)
    server = Postgres(tmp_path / "postgres")
    await server.start()
    try:
        with psycopg.connect(server.admin_url) as connection:
            assert connection.info.server_version >= 180000
    finally:
        server.kill()


@pytest.mark.skipif(os.getuid() != 0, reason="only root's servers keep their data beneath /var/tmp")
def test_data_whose_stack_was_deleted_by_hand_is_removed(tmp_path: Path) -> None:
    home = PostgresHome(tmp_path / "postgres", postgres_server())
    home.prepare(tmp_path / "log")
    base = home.data.parent
    assert base.parent == SHARED_TMP
    assert base.name.startswith(PREFIX)
    remove_abandoned()
    assert base.exists()
    (tmp_path / "postgres" / "postgres.json").unlink()
    (tmp_path / "postgres").rmdir()
    remove_abandoned()
    assert not base.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root has to lend its programs to another user")
async def test_programs_that_the_unprivileged_user_cannot_reach_are_copied_to_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = postgres_files._wheel().parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in package.parent.glob(f"{package.name}*"):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    os.utime(closed / package.name)  # another package than the real one, whose copy other tests use
    monkeypatch.setattr(postgres_files, "_newest_installed", lambda: None)
    monkeypatch.setattr(postgres_files, "_wheel", lambda: closed / package.name / "pginstall" / "bin")
    server = Postgres(tmp_path / "postgres")
    try:
        await server.start()
        assert server.running
    finally:
        server.kill()
        shutil.rmtree(postgres_server().programs.parents[2])


@pytest.mark.skipif(os.getuid() != 0, reason="only root's servers keep their data beneath /var/tmp")
async def test_missing_data_are_an_error_and_not_replaced_by_an_empty_database(postgres: Postgres) -> None:
    assert postgres._home is not None
    await postgres.stop()
    shutil.rmtree(postgres._home.data.parent)
    with pytest.raises(LocalStackError, match=r"^the database's data in \S+ has vanished; `make clean` begins anew$"):
        await Postgres(postgres.directory).start()
    remove_data(postgres.directory)
    anew = Postgres(postgres.directory)
    await anew.start()
    anew.kill()
