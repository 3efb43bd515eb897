"""What the model learns from: the file, its rows, and what was left out."""
