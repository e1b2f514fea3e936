"""What provisioning decides, without any I/O."""
