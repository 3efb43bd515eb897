"""The machine: how much memory is free, who holds the rest, and its health."""
