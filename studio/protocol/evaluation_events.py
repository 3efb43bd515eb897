"""What the engine says when a run was measured beside its base."""

from studio.protocol.event_parts import Event


class Evaluated(Event, frozen=True, tag="evaluated"):
    """A run was measured beside its base.

    Attributes:
        report: Of the document that holds all of it, absolute.
        page: Of the same for people.
    """

    report: str
    page: str
