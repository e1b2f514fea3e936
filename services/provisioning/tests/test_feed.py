import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.domain.feed import SOURCE, read_report, read_top_up
from provisioning.domain.operator import ToppedUp

ICCID = "8999702000000000018"
AT, SEEN = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC)


def _body(**fields: object) -> bytes:
    return json.dumps({"iccid": ICCID, "observedAt": SEEN.isoformat(), **fields}).encode()


def test_a_report_keeps_each_facts_own_time() -> None:
    status = read_report(
        _body(installState="installed", installStateAt=AT.isoformat(), usedBytes=5, usedBytesAt=AT.isoformat()), ICCID
    )
    assert status is not None
    assert (status.install.state, status.install.source, status.install.observed_at) == ("installed", SOURCE, AT)
    assert status.usage is not None
    assert (status.usage.usage.used_bytes, status.usage.usage.observed_at) == (5, AT)


def test_nothing_happened_yet_is_as_fresh_as_the_report() -> None:
    status = read_report(_body(installState="not-installed", installStateAt=AT.isoformat(), usedBytes=0), ICCID)
    assert status is not None
    assert (status.install.state, status.install.observed_at) == ("released", SEEN)
    assert status.usage is not None
    assert status.usage.usage.observed_at == SEEN


@pytest.mark.parametrize("state", ["no-such-state", None, ""])
def test_what_we_do_not_understand_is_unknown_never_unused(state: str | None) -> None:
    status = read_report(_body(installState=state), ICCID)
    assert status is not None
    assert (status.install.state, status.install.observed_at) == ("unknown", None)
    assert status.usage is not None
    assert (status.usage.usage.used_bytes, status.usage.usage.observed_at) == (None, None)


@pytest.mark.parametrize("body", [b"", b"[]", _body(usedBytes=-1), _body(iccid="8999702000000000026"), _body(iccid=1)])
def test_what_is_no_report_about_this_profile_says_nothing(body: bytes) -> None:
    assert read_report(body, ICCID) is None


def test_top_ups() -> None:
    assert read_top_up(b'{"totalBytes": 7, "validUntil": null}') == ToppedUp(7, None)
    assert read_top_up(b"{") is None


@given(st.binary(max_size=200))
def test_nothing_that_a_feed_says_breaks_the_reader(body: bytes) -> None:
    read_report(body, ICCID)
    read_top_up(body)
