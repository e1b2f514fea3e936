"""The mail server: an SMTP catcher with a web page."""
