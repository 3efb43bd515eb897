"""What came of a run as files to keep, to share and to run elsewhere.

- `plugins`: exporters that plug-ins bring.
"""
