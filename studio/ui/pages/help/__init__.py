"""How it works, the shortcuts, and what to copy when something is wrong."""
