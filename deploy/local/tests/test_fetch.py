"""`python -m local_stack fetch`: what is downloaded before anybody waits for it."""

from pathlib import Path

import pytest

from local_stack import cli
from local_stack.errors import ComponentFailedError, LocalStackError
from local_stack.go import go
from local_stack.maven import artifact, download
from local_stack.waiting import downloaded


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


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.mark.parametrize("script", ["echo the registry is down; exit 1", "echo the registry is down"])
def test_a_download_that_brings_nothing_is_said_with_its_log(
    tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "mvn", script, monkeypatch)
    log = tmp_path / "maven.log"
    with pytest.raises(ComponentFailedError, match="The download of a thing by Maven did not succeed"):
        download("a thing", artifact("org:thing:1"), tmp_path, "thing-*.jar", log=log, seconds=60)
    assert log.read_text() == "the registry is down\n"


def test_a_download_gives_what_maven_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'for one; do case "$one" in -DoutputDirectory=*) touch "${one#*=}/thing-1.jar";; esac; done'
    program(tmp_path, "mvn", script, monkeypatch)
    log = tmp_path / "maven.log"
    found = download("a thing", artifact("org:thing:1"), tmp_path, "thing-*.jar", log=log, seconds=60)
    assert found == [tmp_path / "thing-1.jar"]


def test_a_go_command_runs_outside_any_module_and_its_failure_has_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: str) -> str:
        log = tmp_path / "logs" / "go.log"
        return go(arguments, missing="", step="The build", log=log, seconds=60, environment={"GOFLAGS": "-mod=mod"})

    program(tmp_path, "go", '[ "$1" = fail ] && { echo why >&2; exit 3; }; ls; echo "$GOFLAGS $*"', monkeypatch)
    assert run("mod", "download") == "-mod=mod mod download\n"
    with pytest.raises(ComponentFailedError, match=r"The build exited \(3\)"):
        run("fail")
    assert (tmp_path / "logs" / "go.log").read_text() == "why\n"


def test_a_download_that_takes_long_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("local_stack.waiting.FIRST_SECONDS", 0.01)
    monkeypatch.setattr("local_stack.waiting.EVERY_SECONDS", 0.05)
    script = (
        'echo "Downloaded from somewhere: a"; echo "Downloaded from somewhere: b"; '
        f"while [ ! -e {tmp_path}/seen ]; do sleep 0.05; done; "
        'for one; do case "$one" in -DoutputDirectory=*) touch "${one#*=}/thing-1.jar";; esac; done'
    )
    program(tmp_path, "mvn", script, monkeypatch)
    log = tmp_path / "maven.log"
    counted: list[str] = []

    def count(path: Path) -> str:
        counted.append(downloaded(path))
        if counted[-1] == "2 files":
            (tmp_path / "seen").touch()
        return counted[-1]

    monkeypatch.setattr("local_stack.maven.downloaded", count)
    download("a thing", artifact("org:thing:1"), tmp_path, "thing-*.jar", log=log, seconds=60)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Downloading a thing by Maven, once per machine"
    assert lines[-1].endswith("s: 2 files")
