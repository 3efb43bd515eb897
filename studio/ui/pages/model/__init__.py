"""The model that is trained: what is here, what it needs, whether it fits."""
