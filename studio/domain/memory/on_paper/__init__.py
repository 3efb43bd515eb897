"""A run on paper: one layer's allocations, one by one, in plain arithmetic."""
