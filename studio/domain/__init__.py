"""What fine-tuning is, in standard-library terms: no Qt, no torch, no disk."""
