"""What the window and the engine say to each other: events, commands, codec."""
