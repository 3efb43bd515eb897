"""Bundled plug-ins, each a folder that its manifest describes."""
