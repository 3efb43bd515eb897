"""Which device a user means by a name: a card here, a known one, a size."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from studio.domain.cards import CardFacts, CloudPrice, find_card
from studio.domain.errors import StudioError
from studio.domain.hardware import GIB, MachineReading, TrainingDevice, amount
from studio.storage.cards import load_cards
from studio.system.resources import resource_root

# Above this a bare number names a card, such as 4090; no card has as much memory.
_MOST_GIB = 512
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:gi?b?)?", re.IGNORECASE)


@cache
def known_cards() -> Sequence[CardFacts]:
    """The cards that a recipe can be priced for although none is here."""
    return load_cards(resource_root() / "gpus.toml")


def device_named(name: str, machine: MachineReading) -> TrainingDevice:
    """The device that a name means.

    Args:
        name: A card's memory in GiB, a card of this machine, one of the known cards,
            or nothing for the device that a run would use.
        machine: As measured now.

    Raises:
        StudioError: No card is meant by it, or several are.
    """
    if not name.strip():
        return machine.device()
    if (size := size_named(name)) is not None:
        return _card_of(size)
    asked = name.strip().casefold()
    for here in _cards_of(machine):
        if asked in here.name.casefold() and not _means_another(name, here.name):
            return here
    return find_card(known_cards(), name).device()


def _cards_of(machine: MachineReading) -> Iterator[TrainingDevice]:
    """The cards that can be used, that of a run first."""
    seen = [machine, *(machine.looked_at(gpu.uuid) for gpu in machine.gpus)]
    for device in (each.device() for each in seen):
        if device.kind == "cuda":
            yield device


def _means_another(name: str, here: str) -> bool:
    """Whether a known card is called so, and the one that is here but similarly.

    “RTX 4070 Ti” is no RTX 4070 Ti SUPER.
    """
    try:
        return find_card(known_cards(), name) != find_card(known_cards(), here)
    except StudioError:
        return False


def cloud_price_of(device: TrainingDevice) -> CloudPrice | None:
    """What a known card costs to rent; None for others and where nobody told."""
    prices = {card.name: card.cloud_price for card in known_cards()}
    return prices.get(device.name)


def size_named(name: str) -> int | None:
    """The bytes of a memory that a name is, such as ``24`` or ``24 GiB``; else None."""
    match = _SIZE.fullmatch(name.strip())
    if match is None or not 0 < float(match[1]) <= _MOST_GIB:
        return None
    return round(float(match[1]) * GIB)


def _card_of(size: int) -> TrainingDevice:
    """A card of which only the memory is known."""
    return TrainingDevice(
        kind="cuda",
        name=f"a card of {amount(size)}",
        total_bytes=size,
        free_bytes=size,
        has_bf16=True,
    )
