"""An e-mail as it was read, and what it asks for. Values only."""

from dataclasses import dataclass, field
from typing import Literal

from refunds.policy import Reason
from shared.contracts import Language

#: Whether our receiving server vouches for the domain of `From`: unknown is never "proved".
Proof = Literal["proved", "failed", "unknown"]
#: Why a mail opens nothing (RFC 3834): a delivery report, an automatic answer, a list's mail, one of our own.
Automatic = Literal["bounce", "automatic", "list", "own"]
#: Why a file is not kept.
FileRefusal = Literal["type", "size", "count", "repeated"]


@dataclass(slots=True, frozen=True)
class Receiver:
    """How a shop receives mail.

    `authserv_ids`: the names that its own receiving server writes into `Authentication-Results` (RFC 8601).
    `addresses`: of the shop, in lower case.
    """

    authserv_ids: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()


@dataclass(slots=True, frozen=True)
class File:
    """A file of a mail. `kind`: the media type by its content; `size` in bytes; `digest`: SHA-256."""

    name: str = field(repr=False)
    kind: str
    size: int
    digest: str
    content: bytes = field(repr=False)
    refusal: FileRefusal | None = None


@dataclass(slots=True, frozen=True, kw_only=True)
class Mail:
    """A mail as it was read. Texts are cleaned and cut; "" and None: not there, or not readable.

    `own` is what the sender wrote, `quoted` what was quoted or forwarded. `digest` identifies what the mail says,
    without the lines that servers add on the way.
    """

    message_id: str = field(repr=False)
    sender: str = field(repr=False)
    sender_name: str = field(repr=False)
    proof: Proof
    automatic: Automatic | None
    recipients: tuple[str, ...] = field(repr=False)
    recipient_count: int
    subject: str = field(repr=False)
    own: str = field(repr=False)
    quoted: str = field(repr=False)
    references: tuple[str, ...] = field(repr=False)
    files: tuple[File, ...]
    digest: str


@dataclass(slots=True, frozen=True, kw_only=True)
class Wish:
    """What a mail asks for, as far as that can be read. Empty, False and None: not said, or not clear.

    `order_numbers` are numbers that may be one, the sender's own words first. `refund`, `claim`, `appeal`: it is asked
    for in the sender's own words. `reason`: None where none or several are named.
    """

    language: Language
    order_numbers: tuple[str, ...]
    refund: bool
    claim: bool
    appeal: bool
    reason: Reason | None
    full_name: bool
    payment_date: bool
    #: A line that may be nothing but a name, and any date: they count only where a case asks for such.
    name_line: bool = False
    any_date: bool = False
    phone: str | None = field(default=None, repr=False)
    error_text: str | None = field(default=None, repr=False)
