"""The Export page: what came of a run, and how to take it along."""
