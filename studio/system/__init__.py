"""The machine: cards, memory, processes, paths, resources."""
