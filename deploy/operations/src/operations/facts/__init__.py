"""Facts of all services: what each says, and the rows it fills."""
