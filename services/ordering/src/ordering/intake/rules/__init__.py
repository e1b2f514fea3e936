"""Whether an order can be accepted: pure functions."""
