"""Table models: rows of cells that view models make."""
