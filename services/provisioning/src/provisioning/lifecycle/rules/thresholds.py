"""Decides which thresholds of used data are published: each once for an eSIM, and once more after a top-up."""

from collections.abc import Sequence
from datetime import datetime

from provisioning.lifecycle.models.notices import PublishedThreshold, TopUpState
from shared.contracts import Usage

#: Percent of the total. Shops are promised these two (`esim.data_low`).
THRESHOLDS = (80, 100)


def lacks_total(usage: Usage, total_at: datetime | None, top_ups: TopUpState, queried_at: datetime | None) -> bool:
    """Whether the operator is to be queried for the total: data was used, and no total is known (since a top-up).

    Operators push the used bytes alone. Once it was queried, the schedule brings the next query.
    """
    since = top_ups.extended_at
    if not usage.used_bytes or (total_at is not None and (since is None or total_at >= since)):
        return False
    return queried_at is None or (since is not None and queried_at < since)


def newly_reached(
    usage: Usage, total_at: datetime | None, top_ups: TopUpState, published: Sequence[PublishedThreshold]
) -> tuple[PublishedThreshold, ...]:
    """The thresholds that this usage reaches and that are not published yet, the lowest first.

    `total_at`: when the source observed the total. A threshold is published again only after a top-up that raised the
    total: a total that sources round differently publishes nothing twice. After a top-up an older total is unknown, and
    what is unknown reaches nothing (I15).
    """
    used, total = usage.used_bytes, usage.total_bytes
    if used is None or not total or total_at is None:
        return ()
    if top_ups.extended_at is not None and total_at < top_ups.extended_at:
        return ()
    return tuple(
        PublishedThreshold(percent=percent, total_bytes=total, extra_bytes=top_ups.extra_bytes)
        for percent in THRESHOLDS
        if used * 100 >= percent * total and not _is_published(percent, total, top_ups.extra_bytes, published)
    )


def _is_published(percent: int, total: int, extra_bytes: int, published: Sequence[PublishedThreshold]) -> bool:
    return any(
        one.percent == percent and (one.extra_bytes >= extra_bytes or one.total_bytes >= total) for one in published
    )
