import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from local_stack.infra import Infra, Kafka, shared_infra
from local_stack.kafka_files import KafkaFiles
from local_stack.paths import read_json
from local_stack.testing import eventually, gone

pytestmark = pytest.mark.infra

RUN = """
import json, os, sys
from local_stack.infra import shared_infra
info = shared_infra()
print(json.dumps([info.bootstrap_servers, str(info.directory)]), flush=True)
sys.stdin.read()
"""


def test_it_can_be_used_without_an_event_loop(tmp_path: Path) -> None:
    with Infra(tmp_path) as infra, psycopg.connect(infra.postgres.admin_url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert isinstance(infra.kafka, Kafka)
        pids = [infra.kafka.pid or 0, infra.postgres.pid or 0]
        assert not gone(*pids)
    assert gone(*pids)


async def test_a_server_that_does_not_start_takes_the_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KafkaFiles, "command", lambda *_: [sys.executable, "-c", "raise SystemExit('no memory')"])
    infra = Infra(tmp_path)
    with pytest.raises(Exception, match=r"Kafka exited \(1\) before anybody stopped it; its log is .*kafka.log"):
        await infra.start()
    assert not infra.postgres.running


def test_everybody_in_this_test_run_gets_the_same_servers() -> None:
    first, second = shared_infra(), shared_infra()
    assert first == second
    with psycopg.connect(first.postgres_admin_url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_the_servers_go_when_their_owner_was_killed() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LOCAL_STACK_OWNER"}
    owner = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", RUN], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        bootstrap_servers, directory = json.loads(owner.stdout.readline())
        assert bootstrap_servers != shared_infra().bootstrap_servers
        data = Path((read_json(Path(directory) / "postgres" / "postgres.json") or {})["base"])
        assert data.exists()
        owner.kill()
    eventually(lambda: not Path(directory).exists(), "the run's folder is removed")
    eventually(lambda: not data.exists(), "the data is removed")
    assert gone(owner.pid)
