"""Due work: mails to send, and looks at orders that may need one."""
