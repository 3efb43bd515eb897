"""Cards that aren't here: what is known of them, and which one a name means."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from enum import StrEnum

from studio.domain.errors import StudioError, refusal
from studio.domain.hardware import BF16_COMPUTE_CAPABILITY, GIB, MIB, TrainingDevice

FLASH_COMPUTE_CAPABILITY = (8, 0)
"""The oldest card that torch's FlashAttention runs on: Ampere, as for BF16."""

FP8_COMPUTE_CAPABILITY = (8, 9)
"""The oldest card whose tensor cores multiply FP8: Ada."""

# What programs get is less than the driver's total: page tables and the driver's own.
# Torch's out-of-memory messages name it: 11.76 of 12 GiB, 23.6 of 24, 39.4 of 40, 79.15
# of 79.65. This is within 0.2 GiB of all of these.
_DRIVER_SHARE, _DRIVER_MOST = 0.02, GIB // 2

# Makers' and boards' words that tell no two cards apart.
_NOISE = frozenset(
    {"nvidia", "geforce", "tesla", "gpu", "generation", "graphics", "card"}
    | {"edition", "workstation", "sxm", "sxm2", "sxm3", "sxm4", "sxm5", "sxm6"}
    | {"hbm2", "hbm2e", "hbm3", "hbm3e"}
)
# Words that people leave out beside a number.
_ASIDE = frozenset({"rtx", "gtx"})
_WORD = re.compile(r"\d+\s*gi?b\b|[a-z]+\d*[a-z]*|\d+|[a-z]+")
_MOST_NAMED = 8
_NEAR = 3


_STAYS_TRUE = timedelta(days=365)


class CardKind(StrEnum):
    """Where a card is found."""

    CONSUMER = "consumer"
    WORKSTATION = "workstation"
    DATA_CENTRE = "data centre"
    LAPTOP = "laptop"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPrice:
    """What one card costs to rent on demand.

    Attributes:
        usd_an_hour: US dollars an hour, without tax.
        provider: Who rents it out.
        page: Where it is written.
        read_on: The day on which it was.
    """

    usd_an_hour: float
    provider: str
    page: str
    read_on: date

    def is_old(self, today: date) -> bool:
        """Whether it was read more than a year ago."""
        return today - self.read_on > _STAYS_TRUE

    def words(self, today: date) -> str:
        """The price with whose it is and when; that it is old, when it is."""
        old = ", an old price" if self.is_old(today) else ""
        amount = f"${self.usd_an_hour:.2f} an hour at {self.provider}"
        return f"{amount} ({self.read_on.isoformat()}{old})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What is known of a card before one is measured.

    Attributes:
        name: As people call it.
        kind: Where it is found.
        compute_capability: (major, minor).
        memory_gib: As marketed.
        driver_bytes: What the driver shows as the card's memory.
        bandwidth_gb_s: Of its memory, 10^9 bytes a second.
        tensor_tflops: 16-bit products added up in FP32, without sparsity, 10^12 a
            second; 0 without tensor cores, None where the maker doesn't say.
        cloud_price: What it costs to rent; None where no price could be read.
    """

    name: str
    kind: CardKind
    compute_capability: tuple[int, int]
    memory_gib: int
    driver_bytes: int
    bandwidth_gb_s: float
    tensor_tflops: float | None = None
    cloud_price: CloudPrice | None = None

    @property
    def usable_bytes(self) -> int:
        """What programs can take of an idle card."""
        kept = min(round(self.driver_bytes * _DRIVER_SHARE), _DRIVER_MOST)
        return self.driver_bytes - kept

    @property
    def has_bf16(self) -> bool:
        """Whether it computes in BF16."""
        return self.compute_capability >= BF16_COMPUTE_CAPABILITY

    @property
    def has_flash(self) -> bool:
        """Whether FlashAttention runs on it."""
        return self.compute_capability >= FLASH_COMPUTE_CAPABILITY

    @property
    def has_fp8(self) -> bool:
        """Whether its tensor cores multiply FP8."""
        return self.compute_capability >= FP8_COMPUTE_CAPABILITY

    def device(self) -> TrainingDevice:
        """An idle card of this kind, as a recipe is priced for."""
        return TrainingDevice(
            kind="cuda",
            name=self.name,
            total_bytes=self.driver_bytes,
            free_bytes=self.usable_bytes,
            has_bf16=self.has_bf16,
            compute_capability=self.compute_capability,
        )


def driver_bytes(memory_gib: int, driver_mib: int | None) -> int:
    """What the driver shows: as told, else the marketed size."""
    return memory_gib * GIB if driver_mib is None else driver_mib * MIB


def find_card(cards: Sequence[CardFacts], name: str) -> CardFacts:
    """The card that a name means, as people write it or as the driver prints it.

    Args:
        cards: All that are known.
        name: Such as ``4090``, ``RTX 4090``, ``NVIDIA A100-SXM4-80GB``.

    Raises:
        StudioError: No card is called so, when near names are told; or several are,
            which are told.
    """
    asked = _words(name)
    matches = [card for card in cards if asked and asked <= _all_words(card)]
    aside = _ASIDE if _numbered(asked) else frozenset()
    exact = [card for card in matches if _words(card.name) - asked <= aside]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    raise _ambiguous(name, exact or matches) if matches else _unknown(name, cards)


def _words(name: str) -> frozenset[str]:
    return frozenset(_split(name.casefold())) - _NOISE


def _numbered(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in words if any(map(str.isdigit, word)))


def _all_words(card: CardFacts) -> frozenset[str]:
    """The words of its name, and its memory, which the name may leave out."""
    return _words(card.name) | {f"{card.memory_gib}gb"}


def _split(name: str) -> Iterator[str]:
    """Words and numbers; ``rtx4070tisuper`` is four of them."""
    for glued in ("super", "laptop", "pcie", "nvl", "ti", "rtx", "gtx"):
        name = re.sub(rf"(?<=\d){glued}", f" {glued}", name)
        name = re.sub(rf"\b{glued}(?=\d|super\b|laptop\b)", f"{glued} ", name)
    for word in _WORD.findall(name):
        yield re.sub(r"\s*gi?b$", "gb", word) if word[0].isdigit() else word


def _ambiguous(name: str, matches: Sequence[CardFacts]) -> StudioError:
    named = ", ".join(card.name for card in matches[:_MOST_NAMED])
    more = " and others" if len(matches) > _MOST_NAMED else ""
    return refusal(
        "card.ambiguous",
        f"“{name}” may be any of these cards: {named}{more}.",
        fix=f"Give the whole name, such as --gpu “{matches[0].name}”.",
        where="--gpu",
    )


def _unknown(name: str, cards: Sequence[CardFacts]) -> StudioError:
    asked = _numbered(_words(name))
    near = [card.name for card in cards if asked & _numbered(_words(card.name))]
    if not near:
        plain = {card.name.casefold(): card.name for card in cards}
        close = get_close_matches(name.casefold(), plain, n=_NEAR, cutoff=0.75)
        near = [plain[found] for found in close]
    near = near[:_NEAR]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return refusal(
        "card.unknown",
        f"“{name}” is no card of this machine, and none that Snugtune knows.",
        fix=f"{hint}A card’s memory in GiB will do, such as --gpu 24.",
        where="--gpu",
    )
