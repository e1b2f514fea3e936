"""E-mail to a shop's support address: each mail opens or joins a case or a claim, or waits for an agent."""

from refunds.support_mail.service import Placing, SupportMail
from refunds.support_mail.store import ERASE_MAILS, mail_of, mails_of_case, waiting

__all__ = ["ERASE_MAILS", "Placing", "SupportMail", "mail_of", "mails_of_case", "waiting"]
