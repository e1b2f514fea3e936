"""The emails about an order, for agents: which were sent, when, and which came back."""
