"""Top-ups: a paid order extends the data and validity of an eSIM."""
