"""What emails contain: their values, sentences, templates, links and signatures. Pure, without I/O."""

from notifications.emails.models.content import ActivationCodeEmail, NoteEmail, Rendered, Storefront
from notifications.emails.models.events import (
    ApproachingEnd,
    OpenedConfirmation,
    PaidOrderWithReceipt,
    ProfileWithReceipt,
    TopUpWithReceipt,
)
from notifications.emails.models.thread import Thread
from notifications.emails.rules.links import BadLinkError, GoneError, Links, Unsubscribed, list_headers, web_address
from notifications.emails.rules.message import Recipient, Signer, recipient
from notifications.emails.rules.notes import KINDS, WITH_COMPANY, WITHOUT_LINK, sms_text, with_links, with_words
from notifications.emails.rules.qr import data_uri
from notifications.emails.rules.render import environment, render_activation_code, render_note
from notifications.emails.rules.sender import Sender
from notifications.emails.rules.texts import LocaleFormat, texts, traffic, written

__all__ = [
    "KINDS",
    "WITHOUT_LINK",
    "WITH_COMPANY",
    "ActivationCodeEmail",
    "ApproachingEnd",
    "BadLinkError",
    "GoneError",
    "Links",
    "LocaleFormat",
    "NoteEmail",
    "OpenedConfirmation",
    "PaidOrderWithReceipt",
    "ProfileWithReceipt",
    "Recipient",
    "Rendered",
    "Sender",
    "Signer",
    "Storefront",
    "Thread",
    "TopUpWithReceipt",
    "Unsubscribed",
    "data_uri",
    "environment",
    "list_headers",
    "recipient",
    "render_activation_code",
    "render_note",
    "sms_text",
    "texts",
    "traffic",
    "web_address",
    "with_links",
    "with_words",
    "written",
]
