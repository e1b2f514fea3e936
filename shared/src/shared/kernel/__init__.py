"""The frame that every service stands in: settings, health, HTTP, start and stop, migrations, command line."""
