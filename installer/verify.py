"""Proves that an environment does what it is for, each proof in a fresh process.

An installation that ended without an error is no proof: a wheel for another card,
a missing system library or a replaced torch show up only when used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commands import CommandError
from console import SetUpError
from execute import ENGINE, TEST, Job
from qt_libraries import stops_drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facts import Facts

_SMOKE = Path(__file__).with_name("smoke.py")
_WINDOW_MODULES = (
    "filelock",
    "msgspec",
    "platformdirs",
    "psutil",
    "pynvml",
    "tomli_w",
    "typer",
    "PySide6.QtCore",
    "studio",
)
_ENGINE_MODULES = (
    "accelerate",
    "bitsandbytes",
    "datasets",
    "gguf",
    "peft",
    "safetensors",
    "transformers",
    "trl",
)
_TEST_MODULES = ("hypothesis", "importlinter", "mypy", "pytest", "pytestqt")
_VARIABLES = {
    "QT_QPA_PLATFORM": "offscreen",
    "HF_HUB_OFFLINE": "1",
    # Compiling for the processor takes half a minute and proves nothing more.
    "TORCHDYNAMO_DISABLE": "1",
}


@dataclass(frozen=True)
class Proof:
    """One thing to prove.

    Attributes:
        title: What the user reads while it runs.
        arguments: What smoke.py is to do.
        remedy: What to do when it fails.
    """

    title: str
    arguments: Sequence[str]
    remedy: str


def verify(job: Job, facts: Facts) -> dict[str, str]:
    """Run every proof and return what each found, by its name.

    Args:
        job: The set-up that was carried out.
        facts: The machine as it is after that.

    Raises:
        SetUpError: A proof failed.
    """
    results: dict[str, str] = {}
    for proof in _proofs(job):
        name = proof.arguments[0]
        if name == "window" and stops_drawing(facts):
            missing = ", ".join(stops_drawing(facts))
            results[name] = f"left out: {missing} missing"
            job.console.say(f"{proof.title} ... left out: {missing} missing")
            continue
        results[name] = _prove(job, proof)
    return results


def _prove(job: Job, proof: Proof) -> str:
    command = [str(job.environment.python), str(_SMOKE), *proof.arguments]
    with job.console.phase(proof.title) as phase:
        try:
            output = job.run(command, progress=phase.progress, variables=_VARIABLES)
        except CommandError as error:
            raise SetUpError(
                f"The set-up is complete but fails its proof: {proof.title.lower()}.",
                proof.remedy,
                error.output,
            ) from error
        phase.result = output.splitlines()[-1] if output else ""
    return phase.result


def _proofs(job: Job) -> list[Proof]:
    plan = job.plan
    engine = ENGINE in job.extras
    modules = _WINDOW_MODULES + _ENGINE_MODULES * engine
    modules += _TEST_MODULES * (TEST in job.extras)
    log = (
        f"The whole output is in {job.environment.log_file}. To begin anew, delete"
        f" {job.environment.prefix} and start the set-up again."
    )
    proofs = [Proof("Check the imports", ["imports", *modules], log)]
    if engine and plan.torch:
        proofs.append(Proof("Check torch's build", ["torch", plan.torch], log))
        proofs.append(
            Proof(
                "Check 4-bit training",
                ["nf4", plan.nf4_device, *plan.capabilities],
                f"Another build may serve this machine: --torch cpu always does. {log}",
            )
        )
    proofs.append(Proof("Check a window", ["window"], log))
    return proofs
