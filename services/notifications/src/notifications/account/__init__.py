"""The page of an order, reached by a signed link in every email."""
