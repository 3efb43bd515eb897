"""Pushes what was exported to a hub, by the verb ``push``.

`verb` reads from top to bottom: what goes up, who signs in, where it goes, the files,
and one commit of all of them. Files are sent ahead of the commit by the hub's own
library, which finds again what was sent before; so a break leaves the repository as it
was, and the next try sends the rest.
"""
