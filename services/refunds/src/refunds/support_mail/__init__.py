"""E-mail to a shop's support address: each mail opens or joins a case or a claim, or waits for an agent."""

from refunds.support_mail.service import FORM, Arrived, Placing, SupportMail, id_of
from refunds.support_mail.store import ERASE_MAILS, Content, MailStore, NewMail, mail_of, mails_of_case, waiting
from refunds.support_mail.submissions import Submissions

__all__ = [
    "ERASE_MAILS",
    "FORM",
    "Arrived",
    "Content",
    "MailStore",
    "NewMail",
    "Placing",
    "Submissions",
    "SupportMail",
    "id_of",
    "mail_of",
    "mails_of_case",
    "waiting",
]
