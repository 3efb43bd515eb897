"""Examples made from documents: drafts are made, read, mended, accepted, rejected."""
