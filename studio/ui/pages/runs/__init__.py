"""The Runs page: what was trained so far."""
