"""A run beside its base on rows that it never learnt; the Runs page shows it."""
