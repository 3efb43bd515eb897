"""Everything that a plug-in may import."""
