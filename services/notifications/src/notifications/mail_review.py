"""A page for a seller's own reader: every mail, in every language side by side, to be read and signed off.

`make mail-review` writes one page for each shop into `.run/mail-review`. The samples show what most buyers get; below
each stand all of its sentences, so that none is left out. What an agent or a refund policy says in its own words is not
ours to translate.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from notifications.emails import KINDS, Rendered, Storefront, environment, texts
from notifications.emails.samples import code_sample, note_sample
from notifications.mail_table import FACTS, WITHOUT_FACT, Mails
from notifications.storefronts import Storefronts
from shared.contracts import Language
from shared.shops.files import ShopFiles

LANGUAGES: tuple[Language, ...] = get_args(Language)
_NAMES = {"en": "English", "ru": "Русский", "kk": "Қазақша", "ka": "ქართული"}
#: Sections of the texts that belong to an email with a section of another name, or to several.
_ALSO = {"settled": ("settled_by_hand",), "data_low": ("data_over",)}


@dataclass(frozen=True, slots=True)
class ReviewedMail:
    """An email: why it is sent, its sample in each language, and all of its sentences: (name, by language)."""

    kind: str
    why: str
    samples: tuple[Rendered, ...]
    sentences: tuple[tuple[str, tuple[str, ...]], ...]


def page(store: Storefront) -> str:
    """The page, as HTML that needs nothing else."""
    mails = tuple(_mails(store))
    shown = {name for mail in mails for name in (mail.kind, *_ALSO.get(mail.kind, ()))}
    others = [(name, sentences(name)) for name in texts("en") if name not in shown]
    return (
        environment("html")
        .get_template("review.html.j2")
        .render(store=store, mails=mails, others=others, languages=LANGUAGES, names=_NAMES)
    )


def sentences(section: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """All sentences of a section, in all languages."""
    return tuple(
        (name, tuple(texts(language)[section][name] for language in LANGUAGES)) for name in texts("en")[section]
    )


def _mails(store: Storefront) -> Iterator[ReviewedMail]:
    yield ReviewedMail("qr", _why("qr"), tuple(code_sample(store, language) for language in LANGUAGES), sentences("qr"))
    for kind in KINDS:
        every = tuple(sentence for section in (kind, *_ALSO.get(kind, ())) for sentence in sentences(section))
        yield ReviewedMail(kind, _why(kind), tuple(note_sample(store, kind, language) for language in LANGUAGES), every)


def _why(kind: str) -> str:
    """The fact and the clauses that an email answers."""
    for topic, mails in FACTS.items():
        if isinstance(mails, Mails) and kind in mails.kinds:
            return f"{topic} ({mails.clauses})"
    return WITHOUT_FACT[kind]


def main(shops: Path, folder: Path) -> None:
    """Write the page of each shop of the folder `shops` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for slug, store in Storefronts(ShopFiles(shops)).items():
        file = folder / f"{slug}.html"
        file.write_text(page(store), "utf-8")
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
