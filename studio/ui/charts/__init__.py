"""Charts, loaded on first use."""
