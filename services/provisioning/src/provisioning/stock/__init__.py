"""Stock: profiles that are generated before they are sold."""
