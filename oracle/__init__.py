"""Agreement with the CHT's rules engine: its recorded answers against ours, by the real path."""
