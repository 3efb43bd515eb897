"""The application layer: Qt signals and slots, no widgets."""
