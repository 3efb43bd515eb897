"""The first page: what this machine is, and the shortest way to a result."""
