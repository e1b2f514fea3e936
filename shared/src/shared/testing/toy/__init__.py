"""The smallest service there can be, for testing the spine by itself: it answers each paid order with a delivery."""
