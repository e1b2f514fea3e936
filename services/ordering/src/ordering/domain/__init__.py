"""Pure rules and values of ordering: no database, no network, no clock."""
