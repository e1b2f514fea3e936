"""What all services share: settings, health, HTTP, start and stop, migrations, command line."""
