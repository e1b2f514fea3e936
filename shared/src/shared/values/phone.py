"""Phone numbers in E.164 (`+77011234567`): a plus and at most 15 digits (ITU-T E.164 section 6.2.1)."""

from dataclasses import dataclass, field

import phonenumbers

from shared.values.refusal import InvalidValueError
from shared.values.text import one_line

LONGEST = 64
_INVALID = "is not a valid phone number"
#: One region for each country code: those that share a code share its national form.
_MAIN_REGIONS = tuple(
    regions[0] for regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.values() if regions[0] != "001"
)


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that is valid in its country's numbering plan; it is not called."""

    e164: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, region: str | None) -> "Phone":
        """A number as a person gives it. Raises InvalidValueError.

        `region` (ISO 3166) is where a number without `+` is understood to be; without a region the `+` is needed.
        """
        text = one_line(text)
        number = None if len(text) > LONGEST else _number(text, region)
        if number is None:
            hint = "" if region else ", in international form beginning with +"
            raise InvalidValueError(_INVALID + hint)
        return cls(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    @classmethod
    def claimed(cls, text: str) -> tuple["Phone", ...]:
        """The numbers that a text may mean, for a comparison with a stored one; empty where it can mean none.

        Somebody who is asked for the number of their order may write it in the form of their country, whichever that
        is, and Telegram leaves the plus out. Each reading is a whole number that exists, so whoever is believed knows
        the number. A text that begins with a plus has one reading.
        """
        try:
            text = one_line(text)
        except InvalidValueError:
            return ()
        attempts: list[tuple[str, str | None]] = [(text, None)]
        if not text.startswith("+"):
            attempts += [("+" + text, None), *((text, region) for region in _MAIN_REGIONS)]
        numbers: dict[Phone, None] = {}
        for attempt, region in attempts:
            try:
                numbers[cls.parse(attempt, region)] = None
            except InvalidValueError:
                continue
        return tuple(numbers)

    @property
    def digits(self) -> str:
        """Without the plus."""
        return self.e164[1:]


def _number(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None
