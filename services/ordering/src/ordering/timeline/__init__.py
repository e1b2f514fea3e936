"""What became of an order: its facts, its status and the buyer's timeline."""
