"""Due work: asking the bank about attempts, returning money, what waits for a person."""
