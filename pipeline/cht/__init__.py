"""The CHT at the wire: its HTTP door, the changes feed, and who its users are. No PostgreSQL."""
