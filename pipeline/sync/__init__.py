"""From the CHT to the landing."""
