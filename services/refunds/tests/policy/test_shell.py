"""`python -m refunds decide` and `policies`: without a database, a broker, or any setting."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.testing.documents import JsonObject

Make = Callable[..., JsonObject]


def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "refunds", *arguments],
        input=given,
        env={"PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_a_decision_is_printed_as_json(make_facts: Make) -> None:
    facts = make_facts("esimka", "changed_mind", now="2026-11-10T12:00:00+05:00")
    answer = run("decide", given=json.dumps(facts).encode())
    assert (answer.returncode, answer.stderr) == (0, b"")
    decision = json.loads(answer.stdout)
    assert list(decision) == [
        "verdict",
        "grounds",
        "refund",
        "missing",
        "policy",
        "deadlines",
        "explanation",
    ]
    assert decision["verdict"] == "approve"
    [ground] = decision["grounds"]
    assert (ground["document"], ground["clause"]) == ("RF", "2.1")
    assert decision["refund"] == {"amount": "5990.00", "currency": "USD"}
    assert decision["policy"] == "esimka@2026-04-22"
    assert decision["deadlines"] == {
        "request_until": "2026-11-16T20:00:00Z",
        "decide_by": "2026-11-25T20:00:00Z",
        "restore_by": None,
        "pay_by": "2026-11-25T20:00:00Z",
        "credited_by": "2026-12-10T20:00:00Z",
    }
    assert "10 December 2026 (Asia/Tbilisi)" in decision["explanation"]["en"]
    assert "10 декабря 2026 г." in decision["explanation"]["ru"]
    assert "2026 ж. 10 желтоқсан" in decision["explanation"]["kk"]
    assert "10 დეკემბერი, 2026" in decision["explanation"]["ka"]


def test_now_is_the_present_where_it_is_not_given(make_facts: Make) -> None:
    facts = make_facts("e-sim-onl", "double_charge", order={"charges": 2})
    decision = json.loads(run("decide", given=json.dumps(facts).encode()).stdout)
    credited_by = datetime.fromisoformat(decision["deadlines"]["credited_by"])
    assert 10 < (credited_by - datetime.now(UTC)).days < 20


def test_only_what_is_marked_is_required() -> None:
    least = {
        "storefront": "qazaq-esim",
        "order": {"paid_at": "2026-11-02T12:00:00Z", "paid": {"amount": "10.00", "currency": "KZT"}},
        "request": {"received_at": "2026-11-02T12:00:00Z", "reason": "other"},
    }
    answer = run("decide", given=json.dumps(least).encode())
    assert json.loads(answer.stdout)["missing"] == ["order_number", "email", "reason"]


def put(path: str, value: object) -> Callable[[JsonObject], None]:
    *parents, last = path.split(".")

    def change(facts: JsonObject) -> None:
        for parent in parents:
            facts = facts[parent]
        if value is ...:
            del facts[last]
        else:
            facts[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("storefront", "newcomer", "storefront: no policy is known for this storefront"),
        ("storefront", ..., "storefront: Field required"),
        ("order", ..., "order: Field required"),
        ("order.paid_at", ..., "order.paid_at: Field required"),
        ("order.paid", ..., "order.paid: Field required"),
        ("order.paid_at", "2026-11-02T12:00:00", "order.paid_at: must carry an offset"),
        ("order.paid_at", "2026-11-02", "order.paid_at: must be a date and time"),
        ("order.paid_at", "2026-02-30T12:00:00Z", "order.paid_at: is not a date and time that exists"),
        ("order.paid_at", "0001-01-01T00:00:00+10:00", "order.paid_at: is too far away"),
        ("order.paid_at", 1762084800, "order.paid_at: must be a date and time"),
        ("order.paid.amount", "5990", "order.paid.amount: must have 2 decimals in KZT"),
        ("order.paid.amount", "5990.0", "order.paid.amount: must have 2 decimals in KZT"),
        ("order.paid.amount", "5990.000", "order.paid.amount: must have 2 decimals in KZT"),
        ("order.paid.amount", "-1.00", "order.paid.amount: must be a decimal number without sign"),
        ("order.paid.amount", "1e3", "order.paid.amount: must be a decimal number"),
        ("order.paid.amount", 5990.0, "order.paid.amount: Input should be a valid string"),
        ("order.paid.currency", "tenge", "order.paid.currency: String should match"),
        ("order.paid", {"amount": "5990.00", "currency": "JPY"}, "order.paid.amount: must have 0 decimals in JPY"),
        ("order.charges", 0, "order.charges: Input should be greater than or equal to 1"),
        ("order.charges", True, "order.charges: Input should be a valid integer"),
        ("order.charges", "2", "order.charges: Input should be a valid integer"),
        ("order.kind", "sim", "order.kind: Input should be 'esim' or 'top_up'"),
        ("order.colour", "red", "order.colour: is not a field of these facts"),
        ("colour", "red", "colour: is not a field of these facts"),
        ("profile.used_bytes", -1, "profile.used_bytes: Input should be greater than or equal to 0"),
        ("profile.used_bytes", 0.5, "profile.used_bytes: Input should be a valid integer"),
        ("profile", [], "profile: Input should be a valid dictionary"),
        ("support", {"finding": "maybe"}, "support.finding: Input should be 'technical_failure' or 'no_failure'"),
        ("support", {"fair_use_violated": "yes"}, "support.fair_use_violated: Input should be a valid boolean"),
        ("request.reason", "bored", "request.reason: Input should be 'technical_failure'"),
        ("request.reason", ..., "request.reason: Field required"),
        ("request.received_at", ..., "request.received_at: Field required"),
        ("request.provided", ["passport"], "request.provided.0: Input should be 'order_number'"),
    ],
)
def test_malformed_facts_are_refused_field_by_field(
    make_facts: Make,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    value: object,
    message: str,
) -> None:
    # In this process, for speed; the next test goes through the shell.
    from io import BytesIO, TextIOWrapper  # noqa: PLC0415 - used here alone

    from refunds.policy.commands import decide  # noqa: PLC0415 - as above

    facts = make_facts("qazaq-esim", "other")
    put(path, value)(facts)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(json.dumps(facts).encode())))
    assert decide([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"refunds: {message}" in captured.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "facts: not valid JSON"),
        (b"{", "facts: not valid JSON (line 1, column 2"),
        (b"[]", "facts: must be a JSON object"),
        (b'{"storefront": "\xff"}', "facts: not valid JSON"),
        (b"[" * 100_000, "facts: not valid JSON"),
        (b'{"storefront": "esimka", "storefront": "qazaq-esim"}', "storefront: is given twice"),
        (b'{"storefront": NaN}', "facts: NaN is not JSON"),
        (b"{}", "storefront: Field required"),
    ],
)
def test_what_is_not_json_is_refused(given: bytes, message: str) -> None:
    answer = run("decide", given=given)
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert f"refunds: {message}" in answer.stderr.decode()
    assert "Traceback" not in answer.stderr.decode()


def test_policies_are_printed_as_tables() -> None:
    every = run("policies").stdout.decode()
    for name in ("qazaq-esim@1", "e-sim-onl@2026-03", "esimka@2026-04-22"):
        assert f"# {name}\n" in every
    one = run("policies", "esimka@2026-04-22")
    assert (one.returncode, one.stdout.decode().count("\n# ")) == (0, 0)
    assert "| a confirmed failure is restored | 72 hours after the request, an exact duration | RF 2.2 |" in (
        one.stdout.decode()
    )
    [data] = json.loads(run("policies", "esimka", "--json").stdout)
    assert data["deadlines"]["restore_by"] == {"after": "request", "clause": "RF 2.2", "hours": 72}
    assert run("policies", "newcomer").returncode == 2
