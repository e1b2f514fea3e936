"""A shop has the code of an order sent to its buyer again."""
