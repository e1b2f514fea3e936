"""What a buyer can expect before requesting a refund."""
