"""The operator's own feed, beside ES2+ (which carries no usage): install state and usage, each with source and time.

The ICCID decides whether a report is about this profile at all. Every other field stands alone: one that is not
understood is unknown, and the others count.
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
#: "The operator does not know" in words; no word that we do not understand.
_UNKNOWN = "unknown"


def read_report(
    body: bytes, about: str, unparsed: Unparsed, *, sent_at: datetime | None = None
) -> ProfileStatus | None:
    """What `GET {usage_url}/{iccid}` answered, or a push that was `sent_at`; None where it is about no such profile.

    A state we do not know is "unknown". A value without a time of its own is as old as the report. That nothing
    happened yet ("not installed", 0 bytes) counts only where the report's time is understood, or where it gives none
    at all, and answers a question asked now.
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
    """What a top-up was answered with; None where the answer cannot be read."""
    fields = read_object(body, "top-up", unparsed)
    if fields is None:
        return None
    return AppliedTopUp(fields.get("totalBytes", count(MOST_BYTES)), fields.get("validUntil", moment))


def _state(fields: Fields) -> InstallState:
    said = fields.get("installState", word)
    if said is None or said == _UNKNOWN:
        return "unknown"
    state = _STATES.get(said)
    if state is None:
        fields.note("installState")
    return state or "unknown"


def _at(own: datetime | None, observed_at: datetime | None, value: Any) -> datetime | None:
    """The time of a value. "Nothing happened yet" was true when the feed looked, not when nothing began."""
    if value is None or value == "unknown":
        return None
    if value in ("released", 0) and observed_at is not None:
        return observed_at
    return own or observed_at
