"""What the documentation of operations says beyond its code."""

from shared.interfaces.description import OPERATIONS, Interface, Tag

INTERFACE = Interface(
    description=(
        "Watches the services: reads every fact, stores what they say of each order, and evaluates invariants. "
        "It writes no topic.\n\n"
        "The console (`/console`, sign-in) is for people and not listed; this interface is for programs."
    ),
    tags=(
        Tag(
            "orders",
            "Orders by number, id, ICCID or e-mail address, with their timelines; refunds that the bank refused.",
            (OPERATIONS,),
        ),
        Tag("invariants", "Invariants over all orders, and the last answers of the services.", (OPERATIONS,)),
    ),
)
