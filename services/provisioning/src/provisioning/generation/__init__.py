"""Generation: one eSIM profile for each paid order, at the first operator that can make it."""
