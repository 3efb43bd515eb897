"""The dry run: the engine's own code on tensors without memory, and what it takes."""
