"""Codes by which buyers confirm requests (PP 6.1, PP 6.2), sent by SMS or email."""
