"""Whether a text is written in its language alone, for the tests of all that buyers read in four languages."""

import re
from collections.abc import Collection

from shared.contracts import Language

#: Names and abbreviations that are written alike in every language.
NAMES = frozenset(
    """
    eSIM Wi-Fi SIM QR iPhone Android iOS SM-DP APN ICCID Samsung PDF JPEG PNG HEIC WebP GIF SMS JSON Telegram
    """.split()  # noqa: SIM905 - a list of names, not one a line
)
_CYRILLIC, _GEORGIAN = r"[а-яё]", r"[\u10a0-\u10ff\u1c90-\u1cbf]"
_FOREIGN: dict[Language, str] = {
    "en": rf"{_CYRILLIC}|{_GEORGIAN}",
    "ru": rf"[әғқңөұүһі]|{_GEORGIAN}",
    # Words that every Russian sentence has some of, and no Kazakh one.
    "kk": rf"{_GEORGIAN}|\b(?:и|в|на|с|вы|вас|вам|ваш\w*|мы|нас|если|или|что|это|для|по|за|когда|можно|нужно)\b",
    # Capitals of Georgian (Mtavruli) are missing in most fonts.
    "ka": rf"{_CYRILLIC}|(?-i:[\u1c90-\u1cbf])",
}
#: Placeholders, and clauses as decisions cite them: `{paid_on}`, `RF 5.2`.
_PLACES = re.compile(r"\{[^{}]*\}|\b[A-Z]{2} [0-9]+(?:\.[0-9]+)*")


def foreign_words(text: str, language: Language, names: Collection[str] = NAMES) -> list[str]:
    """What of the text belongs to another language. `names`: Latin words that every language takes over."""
    plain = _PLACES.sub("", text)
    foreign = re.findall(_FOREIGN[language], plain, re.IGNORECASE)
    latin = [word.strip("-") for word in re.findall(r"[A-Za-z][A-Za-z-]*", plain)] if language != "en" else []
    return foreign + [word for word in latin if word not in names]
