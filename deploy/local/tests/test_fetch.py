"""`python -m local_stack fetch`: what is downloaded before anybody waits for it."""

import pytest

from local_stack import cli
from local_stack.errors import LocalStackError


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(cli, "kafka_files", lambda: names.append("kafka"))
    monkeypatch.setattr(cli, "zipkin_jar", lambda: names.append("zipkin"))
    return names


@pytest.mark.parametrize(("words", "names"), [((), ["kafka"]), (("--zipkin",), ["kafka", "zipkin"])])
def test_zipkin_is_fetched_for_those_alone_who_ask_for_it(
    fetched: list[str], words: tuple[str, ...], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["local_stack", "fetch", *words])
    assert cli.main() == 0
    assert fetched == names


def test_nothing_fails_for_want_of_zipkin(
    fetched: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def jar() -> None:
        raise LocalStackError("there is no Maven")

    monkeypatch.setattr(cli, "zipkin_jar", jar)
    monkeypatch.setattr("sys.argv", ["local_stack", "fetch", "--zipkin"])
    assert cli.main() == 0
    assert fetched == ["kafka"]
    assert capsys.readouterr().err == "there is no Maven; everything else works without it\n"
