"""The CHT's HTTP API: requests, the changes feed, users and sessions. No PostgreSQL."""
