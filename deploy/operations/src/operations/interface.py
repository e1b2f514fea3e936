"""What the documentation of operations says beyond its code."""

from shared.interfaces.description import OPERATIONS, Interface, Tag

INTERFACE = Interface(
    description=(
        "Watches the services: reads every fact, keeps what is known of each order, and says which invariants do not "
        "hold. It writes no topic.\n\n"
        "The console (`/console`, sign-in) is for people and not listed; the same is here for programs."
    ),
    tags=(
        Tag(
            "orders",
            "Orders by number, id, ICCID or e-mail address, with their timelines; refunds that the bank refused.",
            (OPERATIONS,),
        ),
        Tag("invariants", "What must hold over all orders, and the services as they answered last.", (OPERATIONS,)),
    ),
)
