"""The tables of e-mails to shops, and of what agents write to buyers.

What identifies a sender is sealed to this service, or stored as a keyed hash.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, Uuid, text

from shared.core_tables import timestamp


def support_mails_table(metadata: MetaData) -> Table:
    """Each mail once. `state`: placed | waiting (for an agent) | ignored | dismissed; `why`: what made it so.

    `content`: sealed; null where nothing is kept. `order_id` of a waiting mail: the order that it seems to be about.
    """
    return Table(
        "support_mails",
        metadata,
        Column("mail_id", Uuid, primary_key=True),
        Column("storefront", Text, nullable=False),
        Column("way", Text, nullable=False),
        timestamp("received_at", nullable=False),
        Column("state", Text, nullable=False),
        Column("why", Text),
        Column("proof", Text),
        Column("sender_hash", LargeBinary),
        Column("content", LargeBinary),
        Column("order_id", Uuid),
        Column("buyer_id", Uuid),
        Column("case_id", Uuid),
        Column("claim_id", Uuid),
        timestamp("handled_at"),
        Column("handled_by", Text),
        timestamp("keep_until", nullable=False),
        Column("trace", Text),
        Index("support_mails_waiting", "received_at", postgresql_where=text("state = 'waiting'")),
        Index("support_mails_sender", "sender_hash", "received_at"),
        Index("support_mails_order", "order_id"),
        Index("support_mails_case", "case_id"),
        Index("support_mails_claim", "claim_id"),
        Index("support_mails_buyer", "buyer_id"),
        Index("support_mails_end", "keep_until"),
    )


def support_mail_files_table(metadata: MetaData) -> Table:
    """The files of mails, deleted with them. `refusal`: why the content is not kept: type | size | count | repeated."""
    return Table(
        "support_mail_files",
        metadata,
        Column("mail_id", Uuid, ForeignKey("support_mails.mail_id", ondelete="CASCADE"), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("digest", LargeBinary, nullable=False),
        Column("kind", Text, nullable=False),
        Column("size", Integer, nullable=False),
        Column("refusal", Text),
        Column("name", LargeBinary, nullable=False),
        Column("content", LargeBinary),
    )


def answer_templates_table(metadata: MetaData) -> Table:
    """Templates of answers, by shop and language. They hold no personal data."""
    return Table(
        "answer_templates",
        metadata,
        Column("template_id", Uuid, primary_key=True),
        Column("storefront", Text, nullable=False),
        Column("language", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("text", Text, nullable=False),
        timestamp("changed_at", nullable=False),
        Column("changed_by", Text, nullable=False),
        Index("answer_templates_name", "storefront", "language", "name", unique=True),
    )


def support_answers_table(metadata: MetaData) -> Table:
    """What agents wrote to buyers, about a case or in answer to a claim. `answer_id`: the key of the form."""
    return Table(
        "support_answers",
        metadata,
        Column("answer_id", Uuid, primary_key=True),
        Column("order_id", Uuid, nullable=False),
        Column("buyer_id", Uuid, nullable=False),
        Column("case_id", Uuid),
        Column("claim_id", Uuid),
        timestamp("at", nullable=False),
        Column("who", Text, nullable=False),
        Column("text", Text, nullable=False),
        timestamp("keep_until", nullable=False),
        Index("support_answers_case", "case_id"),
        Index("support_answers_claim", "claim_id"),
        Index("support_answers_order", "order_id"),
        Index("support_answers_buyer", "buyer_id"),
        Index("support_answers_end", "keep_until"),
    )
