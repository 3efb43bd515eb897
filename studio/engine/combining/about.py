"""What a combined adapter says of where it comes from: a card and a document."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.domain.combining import Combination, distance_words
from studio.engine.adapter_files import write_card
from studio.engine.combining.parts import Part
from studio.engine.exporting.shared_card import base_section, loading_section
from studio.engine.model_card import told_card
from studio.storage.model_cards import licence_in
from studio.storage.run_directory import COMBINED
from studio.system.versions import versions

# As cards of runs tell their data; cards of what was combined repeat it.
_DATA = re.compile(r"`([^`\n]+)`, SHA-256 `([0-9a-f]{64})`")


@dataclass(frozen=True, slots=True)
class About:
    """What is told of a combined adapter.

    Attributes:
        parts: That it was made of.
        combination: By which.
        base: Its name in public.
        revision: Its commit; empty where unknown.
        rank: Of the result.
        distance: Of the result from the weighted sum, as a share of it; None where
            the sum is nothing.
    """

    parts: Sequence[Part]
    combination: Combination
    base: str
    revision: str
    rank: int
    distance: float | None


def write_about(folder: Path, about: About) -> None:
    """Write card and document into a folder that is being filled."""
    write_card(folder, _card(about))
    text = json.dumps(_document(about), indent=2, ensure_ascii=False) + "\n"
    (folder / COMBINED).write_text(text, encoding="utf-8")


def _card(about: About) -> str:
    config = {"base_model_name_or_path": about.base, "revision": about.revision}
    licences = {licence_in(part.folder) for part in about.parts}
    licence = licences.pop() if len(licences) == 1 else ""
    combination = about.combination
    count = len(about.parts)
    made = f"Combined with Snugtune from {count} adapters ({combination.in_words})"
    told = [
        f"{made}, at rank {about.rank}. {combination.way.meaning}",
        distance_words(about.distance),
        "\n".join(_table(about)),
        base_section(config, licence),
        loading_section(config),
    ]
    return told_card(
        about.base, licence, told, versions(), stretch=about.parts[0].stretch
    )


def _table(about: About) -> Iterator[str]:
    yield "| Adapter | Weight | Rank | Weights’ SHA-256 | Data |"
    yield "|---|---|---|---|---|"
    for part, weight in zip(about.parts, about.combination.weights, strict=True):
        data = "<br>".join(
            f"`{name}`, SHA-256 `{digest}`" for name, digest in _data_of(part)
        )
        name = " ".join(part.name.replace("|", "\\|").split())
        told = (name, f"{weight:g}", str(part.rank), part.sha256, data or "not told")
        yield f"| {' | '.join(told)} |"


def _document(about: About) -> dict[str, object]:
    combination = about.combination
    told: dict[str, object] = {"how": combination.way.value, "rank": about.rank}
    if combination.way.drops:
        told["density"] = combination.density
    if combination.way.draws:
        told["seed"] = combination.seed
    return told | {
        "distance": about.distance,
        "base": about.base,
        "revision": about.revision,
        "adapters": [
            {
                "name": part.name,
                "weight": weight,
                "rank": part.rank,
                "sha256": part.sha256,
                "data": [
                    {"name": name, "sha256": digest} for name, digest in _data_of(part)
                ],
            }
            for part, weight in zip(about.parts, combination.weights, strict=True)
        ],
        "versions": versions(),
    }


def _data_of(part: Part) -> list[tuple[str, str]]:
    """Names and digests of the data behind an adapter, as its card tells them."""
    return list(dict.fromkeys(_DATA.findall(part.card)))
