"""The trainer process; the only package that imports torch and its libraries."""
