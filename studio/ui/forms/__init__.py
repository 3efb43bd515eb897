"""Edit forms made from an option table: they know kinds, not meanings."""
