"""Dates, money and data volumes as people write them, in the languages we write mails in."""

from datetime import date
from typing import Literal

from shared.contracts import Language, Money

#: Languages that mails exist in.
Written = Literal["en", "ru"]
#: What a buyer whose language is not written yet reads more easily.
_WRITTEN: dict[Language, Written] = {"en": "en", "ru": "ru", "kk": "ru", "ka": "en"}
_MONTHS: dict[Written, tuple[str, ...]] = {
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    "ru": (
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ),
}
#: ISO 4217 minor units where they are not two.
_DECIMALS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3}
_MB_PER_GB = (1024, 1000)
_NO_BREAK = "\u00a0"
_TEENS = range(11, 15)
_FEW = range(2, 5)


def written(language: str) -> Written:
    """The language to write in to a buyer of this language."""
    return _WRITTEN.get(language, "en")  # type: ignore[call-overload,no-any-return] # any text may come from a table


def day(moment: date, language: Written) -> str:
    """`20 May 2027`, `20 мая 2027 г.`"""
    name = _MONTHS[language][moment.month - 1]
    tail = f"{_NO_BREAK}г." if language == "ru" else ""
    return f"{moment.day}{_NO_BREAK}{name} {moment.year}{tail}"


def money(amount: Money, language: Written) -> str:
    """`12,990.00 KZT`, `12 990,00 KZT`; minor units in, no rounding."""
    decimals = _DECIMALS.get(amount.currency, 2)
    whole, part = divmod(amount.amount, 10**decimals)
    groups = f"{whole:,}" if language == "en" else f"{whole:,}".replace(",", _NO_BREAK)
    point = "." if language == "en" else ","
    tail = f"{point}{part:0{decimals}d}" if decimals else ""
    return f"{groups}{tail}{_NO_BREAK}{amount.currency}"


def volume(megabytes: int, language: Written) -> str:
    """`5 GB`, `500 MB`: gigabytes only where they are whole, counted as the seller counts them."""
    units = ("GB", "MB") if language == "en" else ("ГБ", "МБ")
    for per_gigabyte in _MB_PER_GB:
        if megabytes % per_gigabyte == 0:
            return f"{megabytes // per_gigabyte}{_NO_BREAK}{units[0]}"
    return f"{megabytes}{_NO_BREAK}{units[1]}"


def days(count: int, language: Written) -> str:
    """`30 days`, `21 день`, `3 дня`, `30 дней`."""
    if language == "en":
        return f"{count}{_NO_BREAK}{'day' if count == 1 else 'days'}"
    if count % 100 in _TEENS:
        word = "дней"
    elif count % 10 == 1:
        word = "день"
    else:
        word = "дня" if count % 10 in _FEW else "дней"
    return f"{count}{_NO_BREAK}{word}"
