"""What decoders are made of, family by family, as their config.json tells it."""
