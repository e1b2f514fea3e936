"""A page for a seller's own reader: every mail, in every language side by side, to be read and signed off.

`make mail-review` writes one page for each shop into `.run/mail-review`. The samples show what most buyers get; below
each stand all of its sentences, so that none is left out. The sentences of decisions follow: those of the shop's refund
policy, and those of other services, which are read from their folders of texts. What an agent writes is not ours to
translate.
"""

import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from notifications.emails import KINDS, WITH_COMPANY, Rendered, Storefront, environment, texts
from notifications.emails.samples import code_sample, note_sample
from notifications.mail_table import FACTS, WITHOUT_FACT, Mails
from notifications.storefronts import storefront_of
from shared.contracts import Language
from shared.shops.files import ShopFiles
from shared.shops.models import Shop

LANGUAGES: tuple[Language, ...] = get_args(Language)
_NAMES = {"en": "English", "ru": "Русский", "kk": "Қазақша", "ka": "ქართული"}
#: As in the mails of an order that a company has placed (PO 1); other mails are the same for both.
_COMPANY = "Example LLC, 204378869"
#: Sections of the texts that belong to an email with a section of another name, or to several.
_ALSO = {"settled": ("settled_by_hand",), "data_low": ("data_over",)}


@dataclass(frozen=True, slots=True)
class ReviewedMail:
    """An email: why it is sent, its sample in each language, and all of its sentences: (name, by language)."""

    kind: str
    why: str
    samples: tuple[Rendered, ...]
    sentences: tuple[tuple[str, tuple[str, ...]], ...]


#: A title, and sentences in each language: (name, by language).
Section = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]


def page(store: Storefront, decisions: Iterable[Section] = ()) -> str:
    """The page, as HTML that needs nothing else. `decisions`: the sentences of refund decisions."""
    mails = tuple(_mails(store))
    shown = {name for mail in mails for name in (mail.kind, *_ALSO.get(mail.kind, ()))}
    others = [(name, sentences(name)) for name in texts("en") if name not in shown]
    return (
        environment("html")
        .get_template("review.html.j2")
        .render(store=store, mails=mails, others=others, decisions=tuple(decisions), languages=LANGUAGES, names=_NAMES)
    )


def sentences(section: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """All sentences of a section, in all languages."""
    return tuple(
        (name, tuple(texts(language)[section][name] for language in LANGUAGES)) for name in texts("en")[section]
    )


def policy_sections(shop: Shop) -> Iterator[Section]:
    """The sentences of each version of the shop's refund policy."""
    for policy in shop.policies:
        rows = tuple(
            (place, tuple(getattr(words, language) for language in LANGUAGES)) for place, words in policy.sentences()
        )
        yield f"Refund policy, version {policy.version}", rows


def sections_of(folder: Path) -> Iterator[Section]:
    """The sections of a folder with one file of texts for each language."""
    by_language = [tomllib.loads((folder / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES]
    for section, entries in by_language[0].items():
        yield (
            f"{folder.parent.name}, {section}",
            tuple((name, tuple(texts_[section][name] for texts_ in by_language)) for name in entries),
        )


def _mails(store: Storefront) -> Iterator[ReviewedMail]:
    codes = tuple(code_sample(store, language, company=_COMPANY) for language in LANGUAGES)
    yield ReviewedMail("qr", _why("qr"), codes, sentences("qr"))
    for kind in KINDS:
        company = _COMPANY if kind in WITH_COMPANY else None
        samples = tuple(note_sample(store, kind, language, company=company) for language in LANGUAGES)
        every = tuple(sentence for section in (kind, *_ALSO.get(kind, ())) for sentence in sentences(section))
        yield ReviewedMail(kind, _why(kind), samples, every)


def _why(kind: str) -> str:
    """The fact and the clauses that an email answers."""
    for topic, mails in FACTS.items():
        if isinstance(mails, Mails) and kind in mails.kinds:
            return f"{topic} ({mails.clauses})"
    return WITHOUT_FACT[kind]


def main(shops: Path, folder: Path, *others: Path) -> None:
    """Write the page of each shop of the folder `shops` into `folder`. `others`: further folders of texts."""
    folder.mkdir(parents=True, exist_ok=True)
    common = [section for other in others for section in sections_of(other)]
    for slug, shop in ShopFiles(shops).current().items():
        file = folder / f"{slug}.html"
        file.write_text(page(storefront_of(shop), [*policy_sections(shop), *common]), "utf-8")
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
