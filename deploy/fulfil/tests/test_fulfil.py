"""The command line by itself: where it looks, what it understands, what it refuses."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fulfil.addresses import SettingsError, find
from fulfil.cli import main
from fulfil.moments import moment, shown

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ID = "01a1fc23-7566-77f3-925b-03158a1ee6d6"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90m", "2026-11-21T08:00:00+00:00"),
        ("2h", "2026-11-21T07:30:00+00:00"),
        ("3d", "2026-11-18T09:30:00+00:00"),
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T10:00+05:00", "2026-11-20T10:00:00+05:00"),
    ],
)
def test_moments(text: str, meant: str) -> None:
    assert moment(text, NOW) == meant


def test_what_is_no_moment() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no moment"):
        moment("yesterday")
    assert shown("2026-11-20T10:00:00.5+05:00") == "2026-11-20 05:00:00Z"


def test_the_environment_says_where_and_with_which_key(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret\n")
    environment = {"FULFIL_SERVICES": '{"payments": "https://payments.example/"}', "FULFIL_KEY_FILE": str(key)}
    addresses = find(environment | {"FULFIL_USER": "anna"}, tmp_path)
    assert (addresses.urls, addresses.key, addresses.person) == (
        {"payments": "https://payments.example"},
        "secret",
        "anna",
    )


def test_without_it_the_local_stack_is_meant(tmp_path: Path) -> None:
    stack = tmp_path / ".run" / "dev" / "stack.json"
    stack.parent.mkdir(parents=True)
    ports = {"ordering": 8001, "operations": 8006, "kafka": 9092}
    stack.write_text(json.dumps({"ports": ports, "operations_keys": {"operator": "dev", "operations": "other"}}))
    deeper = tmp_path / "a" / "b"
    deeper.mkdir(parents=True)
    addresses = find({}, deeper)
    assert (addresses.urls, addresses.key) == ({"ordering": "http://127.0.0.1:8001"}, "dev")
    assert addresses.operations == "http://127.0.0.1:8006"
    stack.write_text(json.dumps({"ports": ports}))
    with pytest.raises(SettingsError, match="stop and start it"):
        find({}, tmp_path)


@pytest.mark.parametrize("services", ["no JSON", "[]", "{}", '{"a": 1}'])
def test_wrong_settings_are_named(services: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FULFIL_SERVICES is JSON"):
        find({"FULFIL_SERVICES": services, "FULFIL_KEY": "k"}, tmp_path)
    with pytest.raises(SettingsError, match="no local stack"):
        find({}, tmp_path)
    with pytest.raises(SettingsError, match="cannot be read"):
        find({"FULFIL_KEY_FILE": str(tmp_path / "nothing")}, tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dead-letters", "redrive", "--reason", "why not"], "either ids, or filters, or --all"),
        (["dead-letters", "redrive", ID, "--all", "--reason", "why not"], "either ids, or filters, or --all"),
        (["dead-letters", "show", "12"], "no id"),
        (["dead-letters", "list", "--service", "billing"], "unknown service billing"),
    ],
)
def test_what_is_not_understood_asks_nobody(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FULFIL_SERVICES", '{"payments": "http://127.0.0.1:1"}')
    monkeypatch.setenv("FULFIL_KEY", "k")
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_service_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FULFIL_SERVICES", '{"payments": "http://127.0.0.1:1"}')
    monkeypatch.setenv("FULFIL_KEY", "k")
    for words in (["dead-letters", "list"], ["status"], ["dead-letters", "redrive", "--all", "--reason", "why not"]):
        assert main(words) == 1
        printed = capsys.readouterr()
        assert "payments does not answer (ConnectError)" in printed.err + printed.out


@pytest.mark.parametrize(
    ("services", "code", "message"),
    [
        ({"payments": "http://127.0.0.1:1"}, 2, "it is not known where operations is"),
        ({"operations": "http://127.0.0.1:1"}, 1, "operations does not answer (ConnectError)"),
    ],
)
def test_without_operations_no_refused_refunds_are_shown(
    services: dict[str, str],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FULFIL_SERVICES", json.dumps(services))
    monkeypatch.setenv("FULFIL_KEY", "k")
    assert main(["refunds", "refused"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err


def test_a_decision_needs_a_reason() -> None:
    with pytest.raises(SystemExit) as refused:
        main(["dead-letters", "discard", ID])
    assert refused.value.code == 2
