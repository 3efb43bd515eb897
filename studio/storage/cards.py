"""The cards that Snugtune knows by name, from resources/gpus.toml."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec

from studio.domain.cards import CardFacts, CardKind, CloudPrice, driver_bytes
from studio.storage.documents import read_toml


class _Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of resources/gpus.toml."""

    name: str
    memory_gib: int
    bandwidth_gb_s: float
    driver_mib: int | None = None
    tensor_tflops: float | None = None


class _Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cards of one capability that are found in the same place."""

    kind: CardKind
    capability: str
    cards: list[_Card]


class _Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one card costs."""

    name: str
    usd_an_hour: float


class _Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices that were read on one page."""

    provider: str
    page: str
    read: date
    via: str
    cards: list[_Price]


def load_cards(path: Path) -> Sequence[CardFacts]:
    """Read all cards, in the file's order.

    Raises:
        StudioError: The file is missing or no document of cards.
    """
    document = read_toml(path, "gpus")
    families = msgspec.convert(document["families"], list[_Family])
    pages = msgspec.convert(document.get("prices", []), list[_Page])
    prices = {each.name: _price(each, page) for page in pages for each in page.cards}
    return [
        _facts(card, family, prices) for family in families for card in family.cards
    ]


def _price(price: _Price, page: _Page) -> CloudPrice:
    return CloudPrice(
        usd_an_hour=price.usd_an_hour,
        provider=page.provider,
        page=page.page,
        read_on=page.read,
    )


def _facts(card: _Card, family: _Family, prices: Mapping[str, CloudPrice]) -> CardFacts:
    major, _, minor = family.capability.partition(".")
    return CardFacts(
        name=card.name,
        kind=family.kind,
        compute_capability=(int(major), int(minor)),
        memory_gib=card.memory_gib,
        driver_bytes=driver_bytes(card.memory_gib, card.driver_mib),
        bandwidth_gb_s=card.bandwidth_gb_s,
        tensor_tflops=card.tensor_tflops,
        cloud_price=prices.get(card.name),
    )
