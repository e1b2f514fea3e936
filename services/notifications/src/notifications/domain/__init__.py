"""What a mail says and looks like, and what a mail server's answer means; without any I/O."""
