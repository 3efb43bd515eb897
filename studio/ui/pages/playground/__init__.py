"""The Playground page: one question, several voices, side by side."""
