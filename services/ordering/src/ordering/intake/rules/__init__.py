"""Whether an order can be accepted."""
