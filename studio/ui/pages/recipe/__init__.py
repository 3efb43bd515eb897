"""The Recipe page: does it fit, and why."""
