"""What refunds knows by itself: pure functions and values, no I/O."""
