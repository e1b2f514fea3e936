"""Who may do what at the brokers: generated from the services, consumed by whoever runs them."""
