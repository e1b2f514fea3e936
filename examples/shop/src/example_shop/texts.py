"""The shop's texts in three languages, and how it writes money, amounts of data and dates."""

import tomllib
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

from esim_fulfilment import Money, Plan
from esim_fulfilment.models import Language

LANGUAGES = ("en", "ru", "kk")
NAMES = {"en": "English", "ru": "Русский", "kk": "Қазақша"}
_FOLDER = Path(__file__).parent / "texts"
_MB_IN_GB = 1024
_BYTES_IN_GB = 1024**3
_SIGNS = {"KZT": "{} ₸", "USD": "${}"}
_MINOR_PER_MAJOR = 100
_THIN = "\u202f"


@cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language, by their names."""
    values: dict[str, str] = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return values


def sentence(language: str, name: str, **values: object) -> str:
    """A text with its values. Raises KeyError for a name that is not there."""
    return texts(language)[name].format(**values)


def chosen(cookie: str | None, accepted: str) -> str:
    """The language of a visit: the buyer's choice, else the browser's first one that the shop has."""
    if cookie in LANGUAGES:
        return cookie
    for part in accepted.lower().split(","):
        if (language := part.strip()[:2]) in LANGUAGES:
            return language
    return "en"


def buyer_language(language: str) -> Language:
    """The language of mails to this buyer."""
    return next((known for known in get_args(Language) if known == language), "en")


def price(money: Money, language: str) -> str:
    """`4 990 ₸`, `$29.90`: minor units only where there are some."""
    whole, rest = divmod(money.amount, _MINOR_PER_MAJOR)
    separator, point = (",", ".") if language == "en" else (_THIN, ",")
    digits = f"{whole:,}".replace(",", separator) + (f"{point}{rest:02d}" if rest else "")
    return _SIGNS.get(money.currency, "{} " + money.currency).format(digits).replace(" ", "\u00a0")


def data(megabytes: int, language: str) -> str:
    """`5 GB`."""
    unit = ("GB", "MB") if language == "en" else ("ГБ", "МБ")
    if megabytes % _MB_IN_GB == 0:
        return f"{megabytes // _MB_IN_GB}\u00a0{unit[0]}"
    return f"{megabytes}\u00a0{unit[1]}"


def amount(count: int, language: str) -> str:
    """Bytes as `1.2 GB`."""
    gigabytes = f"{count / _BYTES_IN_GB:.1f}".removesuffix(".0")
    return f"{gigabytes}\u00a0GB" if language == "en" else f"{gigabytes.replace('.', ',')}\u00a0ГБ"


def place(plan: Plan, language: str) -> str:
    """`Turkey`, `Georgia, Armenia`; the plan's own title where a place has no name here."""
    names = texts(language)
    if any(f"place_{code}" not in names for code in plan.coverage):
        return plan.title
    return ", ".join(names[f"place_{code}"] for code in plan.coverage)


def tone(plan: Plan) -> int:
    """One of six colours, the same for a place on every page."""
    return zlib.crc32(plan.coverage[0].encode()) % 6


def moment(at: datetime, zone: str, language: str) -> str:
    """`29 Nov, 14:05` in the shop's time zone."""
    local = at.astimezone(ZoneInfo(zone) if zone else UTC)
    return f"{local.day} {texts(language)[f'month_{local.month}']}, {local:%H:%M}"


def status(name: str, language: str) -> str:
    """The status in words. One that this shop does not know is shown as the service names it."""
    return texts(language).get(f"status_{name}", name.replace("_", " "))


def status_words(name: str, language: str) -> str:
    """What the status means for the buyer; empty where this shop has no words for it."""
    return texts(language).get(f"status_{name}_words", "")
