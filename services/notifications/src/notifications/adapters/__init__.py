"""Mail servers as they speak on the wire; one file each."""
