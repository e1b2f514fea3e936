"""Tasks of the lifecycle: observe, inquire, revoke."""
