"""What emails contain: their values, sentences, templates, links and signatures. Pure, without I/O."""

from notifications.emails.models.content import ActivationCodeEmail, NoteEmail, Rendered, Storefront
from notifications.emails.models.events import (
    ApproachingEnd,
    OpenedConfirmation,
    PaidOrderWithReceipt,
    ProfileWithReceipt,
    TopUpWithReceipt,
)
from notifications.emails.rules.links import BadLinkError, GoneError, Links
from notifications.emails.rules.message import Recipient, Signer, message, recipient
from notifications.emails.rules.notes import KINDS, code_in_short
from notifications.emails.rules.qr import data_uri
from notifications.emails.rules.render import environment, render_note, render_qr
from notifications.emails.rules.texts import Words, said, texts, traffic, written

__all__ = [
    "KINDS",
    "ActivationCodeEmail",
    "ApproachingEnd",
    "BadLinkError",
    "GoneError",
    "Links",
    "NoteEmail",
    "OpenedConfirmation",
    "PaidOrderWithReceipt",
    "ProfileWithReceipt",
    "Recipient",
    "Rendered",
    "Signer",
    "Storefront",
    "TopUpWithReceipt",
    "Words",
    "code_in_short",
    "data_uri",
    "environment",
    "message",
    "recipient",
    "render_note",
    "render_qr",
    "said",
    "texts",
    "traffic",
    "written",
]
