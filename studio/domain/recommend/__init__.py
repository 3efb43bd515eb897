"""Proposing a recipe that fits a memory budget, with reasons."""
