"""Orders: search, and everything that is known of one."""
