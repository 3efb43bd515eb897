"""What the engine says of an adapter that was trained."""

from studio.protocol.event_parts import Event


class RanksSpread(Event, frozen=True, tag="ranks"):
    """What an adapter's rank has come to in each layer, as it was saved.

    Attributes:
        step: Whose weights were saved.
        ranks: By the layers' names in the base model.
    """

    step: int
    ranks: dict[str, int]
