import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.clients.es2plus.messages import Executed, Failed, Silent, read_answer
from provisioning.generation.rules.failover import gave_up, pause
from shared.contracts import OperatorStatus

SECRET = "K7Q2SECRETMATCHINGID234567"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _answer(status: str, code: object = None, **fields: object) -> bytes:
    execution: dict[str, object] = {"status": status}
    if code is not None:
        execution["statusCodeData"] = code
    return json.dumps({"header": {"functionExecutionStatus": execution}, **fields}).encode()


@pytest.mark.parametrize("status", ["Executed-Success", "Executed-WithWarning"])
def test_success(status: str) -> None:
    body = _answer(status, matchingId=SECRET, smdpAddress="smdp.example", iccid="8999702000000000018F")
    assert read_answer(200, body, set(), secret=SECRET) == Executed("8999702000000000018", SECRET, "smdp.example")


@pytest.mark.parametrize("status", ["executed-success", "EXECUTED_WITH_WARNING", " Executed-WithWarning "])
def test_success_spelled_otherwise(status: str) -> None:
    assert isinstance(read_answer(200, _answer(status), set(), secret=SECRET), Executed)


@pytest.mark.parametrize(
    ("fields", "executed", "odd"),
    [
        ({"smdpAddress": ""}, Executed("8999702000000000018", SECRET, None), set()),
        ({"smdpAddress": "a b"}, Executed("8999702000000000018", SECRET, None), {"answer.smdpAddress"}),
        ({"matchingId": "k7q2-abc"}, Executed("8999702000000000018", "k7q2-abc", "smdp.example"), set()),
        ({"matchingId": "A$B"}, Executed("8999702000000000018", None, "smdp.example"), {"answer.matchingId"}),
        ({"matchingId": 5}, Executed("8999702000000000018", None, "smdp.example"), {"answer.matchingId"}),
        ({"iccid": "none"}, Executed(None, SECRET, "smdp.example"), {"answer.iccid"}),
    ],
)
def test_an_odd_field_does_not_cost_the_answer(fields: dict[str, object], executed: Executed, odd: set[str]) -> None:
    good = {"matchingId": SECRET, "smdpAddress": "smdp.example", "iccid": "8999702000000000018F"}
    found: set[str] = set()
    assert read_answer(200, _answer("Executed-Success", **good | fields), found, secret=SECRET) == executed
    assert found == odd


def test_the_message_of_a_refusal_can_be_stored_and_contains_no_matching_id() -> None:
    code = {"subjectCode": "8.2.6", "reasonCode": "3.3", "message": f"a\x00b \ud800 {SECRET.lower()}"}
    answer = read_answer(200, _answer("Failed", code), set(), secret=SECRET)
    assert answer == Failed(OperatorStatus(subject_code="8.2.6", reason_code="3.3", message="ab \ufffd …"))


def test_a_failure_keeps_codes_and_message_but_never_the_matching_id() -> None:
    code = {
        "subjectCode": "8.2.6",
        "reasonCode": "3.3",
        "subjectIdentifier": SECRET,
        "message": f"{SECRET} is in use",
    }
    answer = read_answer(200, _answer("Failed", code), set(), secret=SECRET)
    assert answer == Failed(OperatorStatus(subject_code="8.2.6", reason_code="3.3", message="… is in use"))


@pytest.mark.parametrize(
    ("reason", "final"), [("2.1", True), ("3.9", True), ("3.10", True), ("1.2", False), ("4.2", False), ("5.1", False)]
)
def test_which_refusals_are_final(reason: str, final: bool) -> None:
    answer = read_answer(200, _answer("Failed", {"subjectCode": "8.2.5", "reasonCode": reason}), set(), secret=SECRET)
    assert isinstance(answer, Failed)
    assert answer.final is final


@pytest.mark.parametrize("status", ["Failed", "Expired"])
def test_a_failure_without_codes_may_pass(status: str) -> None:
    assert read_answer(200, _answer(status), set(), secret=SECRET) == Failed(None)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"header":{}}', _answer("Perhaps"), _answer("Failed")[:-9]])
def test_an_answer_that_is_none_leaves_the_outcome_open(body: bytes) -> None:
    assert read_answer(200, body, set(), secret=SECRET) == Silent("an answer that is not ES2+", reached=True)


@pytest.mark.parametrize(("status", "reached"), [(429, False), (404, False), (302, False), (503, True), (500, True)])
def test_other_http_statuses(status: int, reached: bool) -> None:
    assert read_answer(status, b"", set(), secret=SECRET) == Silent(f"HTTP {status}", reached=reached)


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_body_of_an_operator_raises(body: bytes, status: int) -> None:
    read_answer(status, body, set(), secret=SECRET)


@given(st.floats(0.001, 120), st.floats(-10, 200))
def test_a_pause_never_passes_the_deadline(backoff: float, left: float) -> None:
    deadline = NOW + timedelta(seconds=left)
    chosen = pause(timedelta(seconds=backoff), NOW, deadline)
    if deadline <= NOW:
        assert chosen is None
    else:
        assert chosen is not None
        assert timedelta(0) < chosen <= max(deadline - NOW, timedelta(milliseconds=1))


def test_the_failure_at_the_deadline_has_a_reason() -> None:
    status = OperatorStatus(subject_code="8.2.1", reason_code="3.3")
    assert "8.2.1/3.3" in gave_up("HTTP 503", (status,), left_behind=True).reason
    assert "HTTP 503" in gave_up("HTTP 503", (), left_behind=True).reason
