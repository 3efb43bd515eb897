"""Tests of the trainer process."""
