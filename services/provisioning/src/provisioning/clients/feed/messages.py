"""Parses reports of the operator's feed: install state and usage, each with source and time.

The ICCID decides whether a report is about the profile at all. Any other field that cannot be parsed is unknown, and
the others count.
"""

from datetime import datetime
from typing import Any

from provisioning.clients.fields import MOST_BYTES, Fields, Unparsed, count, eid, iccid, moment, read_object, word
from provisioning.clients.models import AppliedTopUp, ProfileStatus, UsageReport
from shared.contracts import InstallState, InstallStatus, Usage

SOURCE = "operator-feed"
NAME = "feed"
_STATES: dict[str, InstallState] = {
    "notinstalled": "released",
    "released": "released",
    "downloaded": "downloaded",
    "installed": "installed",
    "enabled": "enabled",
    "disabled": "disabled",
    "deleted": "deleted",
}
#: The operator reports that it does not know the state.
_UNKNOWN = "unknown"


def read_report(
    body: bytes, about: str, unparsed: Unparsed, *, sent_at: datetime | None = None
) -> ProfileStatus | None:
    """Parse an answer of `GET {usage_url}/{iccid}`, or a push (`sent_at`); None where it is about another profile.

    A state that we do not know is "unknown". A value without a time of its own has the report's time. That nothing
    happened yet ("not installed", 0 bytes) counts only where the report's time can be parsed, or where an answer to our
    own query has no time.
    """
    fields = read_object(body, NAME, unparsed)
    if fields is None or (fields.get("iccid", iccid) or about) != about or "feed.iccid" in unparsed:
        return None
    observed_at = sent_at or fields.get("observedAt", moment)
    dated = observed_at is not None or not fields.has("observedAt")
    state = _state(fields)
    if state == "released" and not dated:
        state = "unknown"
    state_at = fields.get("installStateAt", moment)
    install = InstallStatus(state=state, source=SOURCE, observed_at=_at(state_at, observed_at, state))
    used = fields.get("usedBytes", count(MOST_BYTES))
    used = None if used == 0 and not dated else used
    usage = Usage(
        used_bytes=used,
        total_bytes=fields.get("totalBytes", count(MOST_BYTES)),
        source=SOURCE,
        observed_at=_at(fields.get("usedBytesAt", moment), observed_at, used),
    )
    report = UsageReport(usage, fields.get("firstUseAt", moment), fields.get("validUntil", moment))
    return ProfileStatus(install, fields.get("eid", eid), report, observed_at)


def read_top_up(body: bytes, unparsed: Unparsed) -> AppliedTopUp | None:
    """Parse the answer to a top-up; None where it cannot be read."""
    fields = read_object(body, "top-up", unparsed)
    if fields is None:
        return None
    return AppliedTopUp(fields.get("totalBytes", count(MOST_BYTES)), fields.get("validUntil", moment))


def _state(fields: Fields) -> InstallState:
    reported = fields.get("installState", word)
    if reported is None or reported == _UNKNOWN:
        return "unknown"
    state = _STATES.get(reported)
    if state is None:
        fields.note("installState")
    return state or "unknown"


def _at(own: datetime | None, observed_at: datetime | None, value: Any) -> datetime | None:
    """The time of a value. "Nothing happened yet" has the time of the report, not an earlier one."""
    if value is None or value == "unknown":
        return None
    if value in ("released", 0) and observed_at is not None:
        return observed_at
    return own or observed_at
