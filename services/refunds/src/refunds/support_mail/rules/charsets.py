"""Decodes bytes of mails whose character set is missing, unknown or wrong. Never raises."""

import codecs
import re

#: Of one byte each, the most frequent first; the first also counts where two read equally well.
_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5")
_LOWER = re.compile("[а-яёәғқңөұүһі]")
_UPPER_INSIDE = re.compile("(?<=[а-яё])[А-ЯЁ]")
_BESIDE_LATIN = re.compile("(?<=[A-Za-z])[А-яЁё]|[А-яЁё](?=[A-Za-z])")


def decoded(raw: bytes, declared: str | None = None) -> str:
    """The text: as declared where that is possible, else UTF-8, else as the most likely set of one byte."""
    for name in (declared, "utf-8"):
        if name is not None and name.lower() not in {"us-ascii", "ascii"}:
            try:
                return raw.decode(codecs.lookup(name).name)
            except (LookupError, UnicodeError, ValueError):
                continue
    if raw.isascii():
        return raw.decode("ascii")
    readings = [raw.decode(name, "replace") for name in _CYRILLIC]
    best = max(readings, key=_likelihood)
    return best if _likelihood(best) > 0 else raw.decode("cp1252", "replace")


def _likelihood(text: str) -> int:
    """Russian is written in small letters mostly, and never inside a Latin word."""
    wrong = len(_UPPER_INSIDE.findall(text)) + len(_BESIDE_LATIN.findall(text)) + text.count("\ufffd")
    return len(_LOWER.findall(text)) - 3 * wrong
