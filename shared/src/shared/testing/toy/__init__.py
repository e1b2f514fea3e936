"""The smallest service there can be, for testing shared by itself: it answers each paid order with a delivery."""
