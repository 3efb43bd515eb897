"""Chooses the build of torch: a pure function of facts and table.

Fixable obstacles (an old driver, a driver that doesn't answer) are refused with
the remedy, since a processor build put there silently would look like a slow
card. What can't be fixed gets the processor build, and the reason is said.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from facts import DriverProblem, Facts, Gpu, dotted, numbers
from plan import Plan, Refusal
from support import unsupported, without_room

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matrix import CudaBuild, Matrix

AUTOMATIC = "auto"
_OR_PROCESSOR = "Or train on the processor: --torch cpu."

# The driver isn't (wholly) there: nothing is broken, the processor build works.
_ABSENT = {
    DriverProblem.NOT_INSTALLED: (
        "an NVIDIA card is on the bus, but no NVIDIA driver is installed",
        "Install NVIDIA's driver",
    ),
    DriverProblem.NO_LIBRARY: (
        "the NVIDIA driver is loaded, but its library libnvidia-ml is not here",
        "Start the container with its cards (--gpus all)",
    ),
    DriverProblem.NOT_LOADED: (
        "the NVIDIA library is here, but the kernel's driver is not loaded",
        "Load or reinstall the driver",
    ),
}
# The driver is there and broken: what, and how to fix it.
_BROKEN = {
    DriverProblem.MISMATCH: (
        "was updated while its older half is still loaded.",
        "Reboot this machine.",
    ),
    DriverProblem.NO_PERMISSION: (
        "refuses to answer this user.",
        "Add the user to the group that owns /dev/nvidia*, often video.",
    ),
    DriverProblem.TIMED_OUT: (
        "doesn't answer: it was given 10 s.",
        "Reboot this machine.",
    ),
    DriverProblem.UNREADABLE: (
        "answers in a way that is not understood here.",
        "Run nvidia-smi to see what it says, and update the driver.",
    ),
}


def choose(
    facts: Facts,
    matrix: Matrix,
    wanted: str = AUTOMATIC,
    index: str | None = None,
) -> Plan | Refusal:
    """Return which torch suits a machine, or why none does.

    Args:
        facts: The machine.
        matrix: The table of builds.
        wanted: A tag the user asked for, or "auto".
        index: A package index to take torch from in place of PyTorch's own.
    """
    refusal = unsupported(facts, matrix)
    if refusal:
        return refusal
    chosen = _automatic(facts, matrix) if wanted == AUTOMATIC else None
    plan = _as_asked(facts, matrix, wanted) if chosen is None else chosen
    if isinstance(plan, Refusal):
        return plan
    if index:
        plan = replace(plan, index=index)
    return without_room(plan, facts) or plan


def tags(matrix: Matrix) -> list[str]:
    """Return every value that `wanted` may have."""
    cuda = sorted(build.tag for build in matrix.cuda)
    return [AUTOMATIC, "cpu", *cuda, "pypi", "none"]


def _automatic(facts: Facts, matrix: Matrix) -> Plan | Refusal:
    if facts.system == "Darwin":
        return _apple(matrix)
    if facts.is_jetson:
        why = (
            "this is an NVIDIA Jetson, whose graphics need NVIDIA's own builds of"
            " PyTorch and are not served by bitsandbytes"
        )
        return _processor(matrix, why)
    if facts.nvidia.gpus:
        return _for_cards(facts, matrix)
    if facts.nvidia.problem:
        return _without_cards(facts, matrix, facts.nvidia.problem)
    if facts.nvidia.driver:
        why = f"the NVIDIA driver {facts.nvidia.driver} reports no card"
        return _processor(matrix, why)
    return _processor(matrix, _no_card(facts.other_gpus))


def _no_card(others: tuple[str, ...]) -> str:
    if not others:
        return "no NVIDIA card was found"
    names = _listed(others)
    why = f"no NVIDIA card was found; {names} can't be trained on yet"
    if any("AMD" in name or "Radeon" in name for name in others):
        why += " (this set-up installs no ROCm build)"
    return why


def _processor(matrix: Matrix, why: str, *notes: str) -> Plan:
    return Plan(
        tag="cpu",
        torch=f"{matrix.cpu_torch}+cpu",
        index=matrix.cpu_index,
        device="cpu",
        nf4_device="cpu",
        disk_bytes=matrix.processor_bytes,
        reason=f"Processor build: {why}.",
        notes=notes,
    )


def _apple(matrix: Matrix) -> Plan:
    return Plan(
        tag="pypi",
        torch=matrix.default_torch,
        index=None,
        device="mps",
        nf4_device="mps",
        disk_bytes=matrix.processor_bytes,
        reason="Default build: on Apple silicon it uses Metal.",
        notes=(
            "PyTorch needs macOS 14 or later.",
            "8-bit optimizers don't exist for Metal; the plain ones are used.",
        ),
    )


def _without_cards(
    facts: Facts, matrix: Matrix, problem: DriverProblem
) -> Plan | Refusal:
    """Decide for a machine whose driver told of no card."""
    if problem in _ABSENT:
        why, remedy = _ABSENT[problem]
        again = f"{remedy}, then start the set-up again to get the CUDA build."
        return _processor(matrix, why, again)
    if problem is DriverProblem.UNREADABLE:
        too_old = _too_old(facts, matrix)
        if too_old:
            return too_old
    driver = facts.nvidia.driver
    named = f"The NVIDIA driver {driver}" if driver else "The NVIDIA driver"
    what, remedy = _BROKEN[problem]
    return Refusal(f"{named} {what}", f"{remedy} {_OR_PROCESSOR}")


def _driver_system(facts: Facts) -> str:
    """Return whose driver numbers count: under WSL they are Windows's."""
    return "Windows" if facts.is_wsl else facts.system


def _too_old(facts: Facts, matrix: Matrix) -> Refusal | None:
    """Refuse a driver that is too old for every build."""
    driver, system = facts.nvidia.driver, _driver_system(facts)
    if driver is None:
        return None
    if any(build.accepts_driver(driver, system) for build in matrix.cuda):
        return None
    oldest = min((build.driver[system] for build in matrix.cuda), key=numbers)
    return _update_driver(facts, f"every CUDA build needs {oldest} or later", matrix)


def _update_driver(facts: Facts, need: str, matrix: Matrix) -> Refusal:
    best = matrix.cuda[0].driver[_driver_system(facts)]
    where = " in Windows" if facts.is_wsl else ""
    return Refusal(
        f"The NVIDIA driver {facts.nvidia.driver} is too old: {need}.",
        f"Update the driver{where}, best to {best} or later. {_OR_PROCESSOR}",
    )


def _for_cards(facts: Facts, matrix: Matrix) -> Plan | Refusal:
    """Choose the CUDA build that serves the cards that matter most."""
    platform = f"{facts.system} {facts.machine}"
    cards = facts.nvidia.gpus
    builds = [build for build in matrix.cuda if platform in build.capabilities]
    if not any(_served(build, cards, platform) for build in builds):
        why = f"no CUDA build for {platform} serves {_names(cards)}"
        return _processor(matrix, why)
    too_old = _too_old(facts, matrix)
    if too_old:
        return too_old
    allowed = [build for build in builds if _driver_accepted(build, facts)]
    chosen = max(allowed, key=lambda build: _served_memory(build, cards, platform))
    largest = max(cards, key=lambda card: card.memory_mib or 0)
    if largest not in _served(chosen, cards, platform):
        refusal = _needs_newer_driver(largest, facts, matrix)
        if refusal:
            return refusal
    return _cuda(facts, matrix, chosen, _why(facts, matrix, chosen))


def _needs_newer_driver(card: Gpu, facts: Facts, matrix: Matrix) -> Refusal | None:
    """Refuse when a card waits for nothing but a newer driver."""
    platform = f"{facts.system} {facts.machine}"
    system = _driver_system(facts)
    needs = [
        build.driver[system]
        for build in matrix.cuda
        if _served(build, (card,), platform)
    ]
    if not needs:
        return None
    need = f"{card.label} needs {min(needs, key=numbers)} or later"
    return _update_driver(facts, need, matrix)


def _driver_accepted(build: CudaBuild, facts: Facts) -> bool:
    driver = facts.nvidia.driver
    return driver is None or build.accepts_driver(driver, _driver_system(facts))


def _served(build: CudaBuild, cards: Iterable[Gpu], platform: str) -> list[Gpu]:
    """Return the cards a build serves; an unknown capability is hoped for."""
    return [
        card
        for card in cards
        if card.capability is None or build.serves(card.capability, platform)
    ]


def _served_memory(build: CudaBuild, cards: Iterable[Gpu], platform: str) -> int:
    """Return the MiB a build makes usable; a card of unknown size counts a little."""
    return sum(card.memory_mib or 1 for card in _served(build, cards, platform))


def _cuda(facts: Facts, matrix: Matrix, build: CudaBuild, reason: str) -> Plan:
    used = _served(build, facts.nvidia.gpus, f"{facts.system} {facts.machine}")
    known = [card.capability for card in used if card.capability]
    four_bit = not known or max(known) >= matrix.oldest_nf4_capability
    return Plan(
        tag=build.tag,
        torch=f"{build.torch}+{build.tag}",
        index=build.index,
        device="cuda" if used else "cpu",
        nf4_device="cuda" if used and four_bit else "cpu",
        disk_bytes=matrix.cuda_bytes,
        reason=reason,
        capabilities=tuple(dict.fromkeys(dotted(pair) for pair in known)),
        notes=tuple(_card_notes(facts, matrix, used)),
    )


def _why(facts: Facts, matrix: Matrix, build: CudaBuild) -> str:
    """Say what a build serves and why it was preferred."""
    used = _served(build, facts.nvidia.gpus, f"{facts.system} {facts.machine}")
    driver = facts.nvidia.driver
    under = f" under driver {driver}" if driver else ""
    serves = f"{build.name} build: it serves {_names(used)}{under}."
    return " ".join([serves, *_passed_over(facts, matrix, build)])


def _passed_over(facts: Facts, matrix: Matrix, chosen: CudaBuild) -> list[str]:
    """Say why each build that would have been preferred was not taken."""
    platform = f"{facts.system} {facts.machine}"
    system = _driver_system(facts)
    sentences: list[str] = []
    for build in matrix.cuda[: matrix.cuda.index(chosen)]:
        left_out = [
            card
            for card in _served(chosen, facts.nvidia.gpus, platform)
            if card not in _served(build, facts.nvidia.gpus, platform)
        ]
        if not _driver_accepted(build, facts):
            sentences.append(
                f"The {build.name} build needs driver {build.driver[system]};"
                f" here is {facts.nvidia.driver}."
            )
        elif left_out:
            sentences.append(
                f"The {build.name} build is not made for {_names(left_out)}."
            )
    return sentences


def _card_notes(facts: Facts, matrix: Matrix, used: list[Gpu]) -> Iterable[str]:
    left_out = [card for card in facts.nvidia.gpus if card not in used]
    if left_out:
        yield f"No build serves all cards at once; not used: {_names(left_out)}."
    floor = matrix.oldest_nf4_capability
    weak = [card for card in used if card.capability and card.capability < floor]
    if weak:
        yield (
            f"4-bit weights need compute capability {dotted(floor)}; on"
            f" {_names(weak)} only 16 and 32 bits work."
        )
    if any(card.mig for card in used):
        yield "The card is in MIG mode: a run uses one slice and its memory."
    if any(card.memory_mib is None for card in used):
        yield "The driver reports no memory of its own: it is shared with the system's."


def _as_asked(facts: Facts, matrix: Matrix, wanted: str) -> Plan | Refusal:
    """Return the plan for a build that the user names."""
    reason = f"As asked for by --torch {wanted}."
    if wanted == "cpu":
        plan = _processor(matrix, "as asked for by --torch cpu")
        return replace(plan, by_user=True)
    if wanted in {"pypi", "none"}:
        if wanted == "pypi" and facts.system == "Darwin":
            return replace(_apple(matrix), by_user=True)
        torch = matrix.default_torch if wanted == "pypi" else None
        large = wanted == "pypi" and facts.system == "Linux"
        disk = matrix.cuda_bytes if large else matrix.processor_bytes
        device = "cuda" if facts.nvidia.gpus and torch else "cpu"
        return Plan(wanted, torch, None, device, device, disk, reason, by_user=True)
    platform = f"{facts.system} {facts.machine}"
    for build in matrix.cuda:
        if build.tag == wanted and platform in build.capabilities:
            return replace(_cuda(facts, matrix, build, reason), by_user=True)
    return Refusal(
        f'There is no build "{wanted}" for {facts.system} on {facts.machine}.',
        f"Known are: {', '.join(tags(matrix))}.",
    )


def _names(cards: Iterable[Gpu]) -> str:
    return _listed(card.label for card in cards)


def _listed(names: Iterable[str]) -> str:
    unique = list(dict.fromkeys(names))
    if len(unique) == 1:
        return unique[0]
    return ", ".join(unique[:-1]) + " and " + unique[-1]
