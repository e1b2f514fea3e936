"""What the services share: contracts, messaging, due work, telemetry and the service kernel."""
