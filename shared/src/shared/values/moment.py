"""Moments and days: aware, UTC, in the years 2000 to 2099.

A time without its zone means nothing here. The years 1 and 9999 are valid Python and PostgreSQL values, and one
subtraction or change of zone later they are an error; no fact of this business lies outside the bounds.
"""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from shared.values.refusal import InvalidValueError

FIRST_YEAR, LAST_YEAR = 2000, 2099
_YEARS = f"must be in the years {FIRST_YEAR} to {LAST_YEAR}"


def in_bounds(moment: datetime) -> datetime:
    """The same moment in UTC. Raises InvalidValueError."""
    if moment.utcoffset() is None:
        raise InvalidValueError("must name its time zone")
    # The year is checked before the zone is changed: years 1 and 9999 cannot be converted.
    if not FIRST_YEAR - 1 <= moment.year <= LAST_YEAR + 1:
        raise InvalidValueError(_YEARS)
    at = moment.astimezone(UTC)
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise InvalidValueError(_YEARS)
    return at


def day_in_bounds(day: date) -> date:
    """The day. Raises InvalidValueError."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InvalidValueError(_YEARS)
    return day


#: A field of a border.
Moment = Annotated[AwareDatetime, AfterValidator(in_bounds)]
Day = Annotated[date, AfterValidator(day_in_bounds)]


def _or_utc(value: datetime) -> datetime:
    return in_bounds(value if value.utcoffset() is not None else value.replace(tzinfo=UTC))


#: A condition of a list: a moment without a zone is UTC, as operators write it.
MomentOrUtc = Annotated[datetime, AfterValidator(_or_utc)]


def moment(value: object) -> datetime | None:
    """A moment as an outside system wrote it (ISO 8601 with its zone), in UTC; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        return in_bounds(datetime.fromisoformat(value.strip()))
    except ValueError:
        return None
