"""Snugtune: a desktop studio that fine-tunes language models on the GPU at hand."""

__version__ = "0.1.0"
