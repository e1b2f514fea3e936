"""Phone numbers in E.164 (`+77011234567`): a plus and at most 15 digits (ITU-T E.164 section 6.2.1)."""

from dataclasses import dataclass, field

import phonenumbers

from shared.values.refusal import InvalidValueError
from shared.values.text import one_line

LONGEST = 64
_INVALID = "is not a valid phone number"


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that exists in its country's plan; whether anybody answers is not asked."""

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
    def claimed(cls, text: str, region: str | None) -> tuple["Phone", ...]:
        """The numbers that a text may mean, to be compared with one that is known: national form first.

        Telegram and many people leave the plus out, so digits without it are read both ways. Empty where it is none.
        """
        found: list[Phone] = []
        for attempt in (text, "+" + text.lstrip("+ ")):
            try:
                phone = cls.parse(attempt, region)
            except InvalidValueError:
                continue
            if phone not in found:
                found.append(phone)
        return tuple(found)

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
