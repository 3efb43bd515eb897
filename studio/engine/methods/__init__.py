"""One training method a file, flat, readable from top to bottom."""
