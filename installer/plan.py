"""What a choice of torch comes to: a plan with its reason, or a refusal."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from json_reader import Reader


@dataclass(frozen=True)
class Plan:
    """Which torch is installed, and why.

    Attributes:
        tag: "cpu", a CUDA tag, "pypi" (the default index's build) or "none".
        torch: Its exact version with the local part, such as "2.13.0+cpu";
            None when no torch is to be installed.
        index: The package index that serves it where the default one doesn't.
        device: What is trained on: "cuda", "mps" or "cpu".
        nf4_device: Where 4-bit weights work: the device, or "cpu".
        capabilities: Compute capabilities of the cards that are used.
        disk_bytes: What the set-up takes on the disk.
        reason: Why this build, in words.
        notes: What else the user is to know.
        by_user: Whether the user asked for this build.
    """

    tag: str
    torch: str | None
    index: str | None
    device: str
    nf4_device: str
    disk_bytes: int
    reason: str
    capabilities: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    by_user: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why nothing is set up on this machine as it is.

    Attributes:
        what: What stands in the way, and where.
        remedy: How to fix it.
    """

    what: str
    remedy: str


def plan_to_json(plan: Plan) -> dict[str, object]:
    """Return the plan as plain values that json can write."""
    return dataclasses.asdict(plan)


def plan_from_json(document: object) -> Plan:
    """Read a plan from what json returned.

    Raises:
        SetUpError: A field is unknown, missing or of the wrong kind.
    """
    reader = Reader(document, "the plan")
    reader.only_fields_of(Plan)
    return Plan(
        tag=reader.text("tag"),
        torch=reader.optional_text("torch"),
        index=reader.optional_text("index"),
        device=reader.text("device"),
        nf4_device=reader.text("nf4_device"),
        disk_bytes=reader.whole("disk_bytes") or 0,
        reason=reader.text("reason"),
        capabilities=reader.texts("capabilities"),
        notes=reader.texts("notes"),
        by_user=reader.flag("by_user", default=False),
    )


def still_suits(installed: Plan, chosen: Plan) -> bool:
    """Return whether an environment of one plan serves another as well.

    A CUDA build also runs on the processor, so a card that is away for a while
    (an external one, a wedged driver) changes nothing.
    """
    if installed.torch == chosen.torch:
        return True
    away = installed.device == "cuda" and chosen.device == "cpu"
    return away and not chosen.by_user
