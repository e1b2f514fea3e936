"""Decisions over several services of which one does not answer, and what is asked back at a terminal."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from fulfil.cli import main
from shared.testing.documents import JsonObject

HERS = "01a1fc23-7566-77f3-925b-03158a1ee6d6"
OTHER = "01a1fc23-7566-77f3-925b-03158a1ee6d7"
AWAY = "http://127.0.0.1:1"
REDRIVE = ["dead-letters", "redrive", "--all", "--reason", "why not"]


#: Makes services known to the command, by name: one that answers, or an address.
Serve = Callable[..., None]


class OneService:
    """A service that holds so many waiting letters and rows, the first of them HERS; `decided` is what it was asked."""

    def __init__(self, name: str, dead_letters: int) -> None:
        self.name = name
        self.ids = [HERS, *(f"{OTHER[:-4]}{one:04x}" for one in range(1, dead_letters))][:dead_letters]
        self.decided: list[JsonObject] = []

    def answer(self, path: str, body: JsonObject | None) -> tuple[int, JsonObject]:
        if body is None:
            known = path.rpartition("/")[2] in self.ids
            return (200, {"id": HERS}) if known else (404, {"type": "urn:problem:unknown-letter", "detail": "unknown"})
        self.decided.append(body)
        wanted = body.get("ids") or self.ids
        matched = [one for one in self.ids if one in wanted]
        taken = matched[: body.get("limit", 1000)]
        refused = [{"id": one, "reason": "unknown", "found": False} for one in wanted if one not in self.ids]
        answer = {"service": self.name, "dry_run": body["dry_run"], "taken": taken, "refused": refused}
        return 200, {**answer, "matched": len(matched), "left": len(matched) - len(taken)}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    with ExitStack() as opened:

        def address(one: OneService) -> str:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self._reply(None)

                def do_POST(self) -> None:
                    self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

                def _reply(self, body: JsonObject | None) -> None:
                    status, document = one.answer(self.path, body)
                    text = json.dumps(document).encode()
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

                def log_message(self, *_: object) -> None:
                    """Quietly."""

            server = opened.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
            opened.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        def services(**known: OneService | str) -> None:
            urls = {name: one if isinstance(one, str) else address(one) for name, one in known.items()}
            monkeypatch.setenv("FULFIL_SERVICES", json.dumps(urls))
            monkeypatch.setenv("FULFIL_KEY", "k")

        yield services


def test_results_of_reachable_services_are_printed_when_one_is_unreachable(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = OneService("ordering", 1), OneService("refunds", 2)
    serve(ordering=before, payments=AWAY, refunds=after)
    assert main(REDRIVE) == 1
    printed = capsys.readouterr()
    assert f"redriven  {HERS}  ordering" in printed.out
    assert "3 redriven, 0 not." in printed.out
    assert printed.err == "fulfil: payments does not answer (ConnectError)\n"


def test_a_letter_is_found_behind_a_service_that_is_away(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    serve(payments=AWAY, refunds=OneService("refunds", 1))
    assert main(["dead-letters", "redrive", HERS, "--reason", "why not"]) == 0
    assert capsys.readouterr().err == ""  # everything that was asked for is done
    assert main(["dead-letters", "redrive", OTHER, HERS, "--reason", "why not"]) == 1
    printed = capsys.readouterr()
    assert "1 redriven, 0 not." in printed.out
    assert "payments does not answer" in printed.err
    assert main(["dead-letters", "show", OTHER]) == 1
    printed = capsys.readouterr()
    assert "payments does not answer" in printed.err
    assert "no service has" not in printed.err  # perhaps it has


def test_work_is_missing_only_where_everybody_was_asked(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["work", "retry", HERS, OTHER, "--reason", "why not"]
    serve(payments=AWAY, refunds=OneService("refunds", 1))
    assert main(options) == 1
    printed = capsys.readouterr()
    assert f"retried  {HERS}  refunds" in printed.out
    assert "not found" not in printed.out
    assert "payments does not answer" in printed.err
    serve(refunds=OneService("refunds", 1))
    assert main(options) == 1
    printed = capsys.readouterr()
    assert f"not found  {OTHER}" in printed.out
    assert printed.err == ""


def test_the_number_asked_back_is_the_number_taken(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options: list[str] = []

    def answer(prompt: str) -> str:
        options.append(prompt)
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    serve(refunds=OneService("refunds", 1500))
    assert main([*REDRIVE, "--limit", "3000"]) == 0
    assert options.pop() == "Redrive 1000? [y/N] "
    assert "refunds: 500 more match; do the same again\n1000 redriven" in capsys.readouterr().out
    assert main([*REDRIVE, "--limit", "20"]) == 0
    assert options.pop() == "Redrive 20? [y/N] "
    assert "1480 more match; do the same again, or raise --limit\n" in capsys.readouterr().out


def test_what_was_not_rehearsed_is_not_done(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    late, there = OneService("payments", 1), OneService("refunds", 2)
    serve(payments=late, refunds=there)
    answers = [(500, {"detail": "not now"})]
    decide = late.answer
    monkeypatch.setattr(late, "answer", lambda path, body: answers.pop() if answers else decide(path, body))
    monkeypatch.setattr("builtins.input", lambda _prompt: "y")
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert main(REDRIVE) == 1
    assert [one["dry_run"] for one in there.decided] == [True, False]
    assert late.decided == []
    printed = capsys.readouterr()
    assert "2 redriven, 0 not." in printed.out
    assert printed.err == "fulfil: payments: not now\n"
