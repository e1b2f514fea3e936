"""The tables of representations (PP 6.2). Names and evidence are not here: they are sealed in `support_mails`."""

from sqlalchemy import Boolean, Column, Index, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.core_tables import timestamp


def representations_table(metadata: MetaData) -> Table:
    """Who acts for the buyer of an order. `identification`: shared.values.identification as JSON.

    `confirmed`: what a second person says; null: waits. `ended_by` is `system` where the buyer's data were erased.
    """
    return Table(
        "representations",
        metadata,
        Column("representation_id", Uuid, primary_key=True),
        Column("order_id", Uuid, nullable=False),
        Column("buyer_id", Uuid, nullable=False),
        Column("storefront", Text, nullable=False),
        Column("identification", JSONB, nullable=False),
        Column("recorded_by", Text, nullable=False),
        timestamp("recorded_at", nullable=False),
        Column("confirmed", Boolean),
        Column("decided_by", Text),
        timestamp("decided_at"),
        Column("ended_by", Text),
        timestamp("ended_at"),
        Index("representations_order", "order_id"),
        Index("representations_buyer", "buyer_id"),
        Index(
            "representations_waiting",
            "recorded_at",
            postgresql_where=text("confirmed IS NULL AND ended_at IS NULL"),
        ),
    )


def representation_acts_table(metadata: MetaData) -> Table:
    """What agents did upon a representation. `outcome`: done | refused | unknown."""
    return Table(
        "representation_acts",
        metadata,
        Column("act_id", Uuid, primary_key=True),
        Column("representation_id", Uuid, nullable=False),
        timestamp("at", nullable=False),
        Column("who", Text, nullable=False),
        Column("what", Text, nullable=False),
        Column("outcome", Text, nullable=False),
        Index("representation_acts_of", "representation_id", "at"),
    )
