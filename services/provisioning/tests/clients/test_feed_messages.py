import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.clients.feed.messages import SOURCE, read_report, read_top_up
from provisioning.clients.fields import Unparsed
from provisioning.clients.models import AppliedTopUp

ICCID = "8999702000000000018"
AT, SEEN = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC)


def _body(**fields: object) -> bytes:
    return json.dumps({"iccid": ICCID, "observedAt": SEEN.isoformat(), **fields}).encode()


def test_a_report_keeps_each_facts_own_time() -> None:
    status = read_report(
        _body(installState="installed", installStateAt=AT.isoformat(), usedBytes=5, usedBytesAt=AT.isoformat()),
        ICCID,
        set(),
    )
    assert status is not None
    assert (status.install.state, status.install.source, status.install.observed_at) == ("installed", SOURCE, AT)
    assert status.usage is not None
    assert (status.usage.usage.used_bytes, status.usage.usage.observed_at) == (5, AT)


def test_nothing_happened_yet_is_as_fresh_as_the_report() -> None:
    status = read_report(_body(installState="not-installed", installStateAt=AT.isoformat(), usedBytes=0), ICCID, set())
    assert status is not None
    assert (status.install.state, status.install.observed_at) == ("released", SEEN)
    assert status.usage is not None
    assert status.usage.usage.observed_at == SEEN


@pytest.mark.parametrize("state", ["no-such-state", None, ""])
def test_what_we_do_not_understand_is_unknown_never_unused(state: str | None) -> None:
    status = read_report(_body(installState=state), ICCID, set())
    assert status is not None
    assert (status.install.state, status.install.observed_at) == ("unknown", None)
    assert status.usage is not None
    assert (status.usage.usage.used_bytes, status.usage.usage.observed_at) == (None, None)


@pytest.mark.parametrize("body", [b"", b"[]", _body(iccid="8999702000000000026"), _body(iccid=1), _body(iccid={})])
def test_a_body_that_is_no_report_about_this_profile_is_ignored(body: bytes) -> None:
    assert read_report(body, ICCID, set()) is None


@pytest.mark.parametrize("used", [2**70, -1, 1.5, True, "many", [], {}, 2**50 + 1])
def test_a_number_that_is_none_costs_nothing_beside_it(used: object) -> None:
    odd: Unparsed = set()
    status = read_report(_body(usedBytes=used, installState="enabled", totalBytes="100"), ICCID, odd)
    assert status is not None
    assert status.usage is not None
    assert (status.install.state, status.usage.usage.used_bytes, status.usage.usage.total_bytes) == (
        "enabled",
        None,
        100,
    )
    assert odd == {"feed.usedBytes"}


@pytest.mark.parametrize(("used", "read"), [("7", 7), (7.0, 7), (2**50, 2**50), (0, 0)])
def test_numbers_in_other_spellings(used: object, read: int) -> None:
    status = read_report(_body(usedBytes=used), ICCID, set())
    assert status is not None
    assert status.usage is not None
    assert status.usage.usage.used_bytes == read


def test_nothing_happened_yet_needs_a_time_that_is_understood() -> None:
    """What happened counts all the same; when it was seen is the time of the answer."""
    untouched = read_report(_body(observedAt="yesterday", installState="not-installed", usedBytes=0), ICCID, set())
    touched = read_report(_body(observedAt="yesterday", installState="Enabled", usedBytes=9), ICCID, set())
    undated = read_report(_body(observedAt=None, installState="NOT_INSTALLED", usedBytes=0), ICCID, set())
    found = [
        (one.install.state, one.usage.usage.used_bytes) for one in (untouched, touched, undated) if one and one.usage
    ]
    assert found == [("unknown", None), ("enabled", 9), ("released", 0)]


def test_an_eid_with_a_wrong_checksum_is_no_device() -> None:
    odd: Unparsed = set()
    status = read_report(_body(installState="installed", eid="8" * 32), ICCID, odd)
    assert status is not None
    assert (status.install.state, status.eid, odd) == ("installed", None, {"feed.eid"})


def test_top_ups() -> None:
    assert read_top_up(b'{"totalBytes": 7, "validUntil": null}', set()) == AppliedTopUp(7, None)
    assert read_top_up(b"{", set()) is None


@given(st.binary(max_size=200))
def test_no_body_of_a_feed_raises(body: bytes) -> None:
    read_report(body, ICCID, set())
    read_top_up(body, set())
