"""What our images are made of, and whether that is what we asked for and may ship."""
