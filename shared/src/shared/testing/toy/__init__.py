"""The smallest service that uses all of `shared`, for tests: it answers each paid order with a delivery."""
