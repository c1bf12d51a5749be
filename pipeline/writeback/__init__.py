"""From the outbox to the CHT."""
