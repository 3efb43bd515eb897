"""What the dry run and FitCheck predict for a measured case."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import Level, MemoryPhase
from studio.domain.recipe import Recipe
from tests.bench.vram_truth_rows import (
    ALLOCATED,
    DEVICE,
    MIB,
    RESERVED,
    WITHOUT,
    Case,
    tesla_case,
)

FITCHECK = "fitcheck-llm==0.3.1"
CONFIGS: Mapping[str, Mapping[str, object]] = {
    name: entry["config"]
    for name, entry in json.loads(
        (Path(__file__).parent / "data" / "model_configs.json").read_text("utf-8")
    )["models"].items()
}
Peaks = dict[str, int]

_ASK_FITCHECK = """
import json, sys
from fitcheck.config_parser import ModelConfig, _parse_fields, _count_params
from fitcheck.estimator import TrainingConfig, estimate
from fitcheck.gpu_db import get_gpu, gpu_key_for
from fitcheck.overhead_db import get_overhead_profile
answers = []
for asked in json.load(sys.stdin):
    try:
        fields = _parse_fields(asked["config"])
        shape = {name: getattr(fields, name) for name in fields.__slots__} if hasattr(
            fields, "__slots__") else dict(vars(fields))
        model = ModelConfig(name="", num_params=asked["parameters"], **shape)
        gpu = get_gpu(asked["gpu"])
        training = TrainingConfig(**asked["training"])
        found = estimate(model, training, gpu)
        profile = get_overhead_profile(
            gpu_key_for(gpu), training.flash_attn, training.quantization)
        answers.append([found.total_mib - found.overhead_mib,
                        found.total_mib - profile.base_context_mib, found.total_mib])
    except Exception as fault:
        answers.append(str(fault))
json.dump(answers, sys.stdout)
"""


def recipe_of(options: Mapping[str, object]) -> Recipe:
    """A recipe with these options, free of contradictions."""
    recipe = Recipe()
    for key, value in options.items():
        recipe = recipe.with_value(key, value)
    assert not recipe.contradictions()
    return recipe


def dry_run(case: Case) -> Peaks | None:
    """Our prediction, by the engine's own verb; kept until the program changes.

    Returns:
        None where the case is for the optimizer's step alone and the peak isn't there
        without the other program's kernels, so that nothing can be said with them.
    """
    from studio.engine.memory_estimate import Target, estimate_memory

    device = TrainingDevice(
        kind="cuda",
        name="",
        total_bytes=case.total_bytes,
        free_bytes=case.total_bytes,
        has_bf16=case.capability >= (8, 0),
        compute_capability=case.capability,
    )
    config = dict(CONFIGS[case.model])
    if case.options["model.attention"] == "flash" and "sliding_window" in config:
        # FlashAttention's own package takes a window as a number, and no mask.
        config["sliding_window"] = None
    with tempfile.TemporaryDirectory() as folder:
        described = json.dumps(config)
        (Path(folder) / "config.json").write_text(described, "utf-8")
        found = estimate_memory(recipe_of(case.options), Path(folder), Target(device))
    if case.at_step_only and found.phase != MemoryPhase.OPTIMIZER_STEP:
        return None
    return {
        ALLOCATED: found.bytes_up_to(Level.ALLOCATED),
        RESERVED: found.bytes_up_to(Level.RESERVED),
        DEVICE: found.bytes_up_to(Level.DEVICE),
        WITHOUT: found.bytes_up_to(Level.DEVICE),
    }


def fitcheck(folder: Path, cases: Sequence[Case]) -> list[Peaks | str]:
    """FitCheck's predictions, or why it makes none; from an environment of its own."""
    asked = [_question(case) for case in cases]
    asking = [each for each in asked if not isinstance(each, str)]
    told = subprocess.run(
        [str(_environment(folder)), "-c", _ASK_FITCHECK],
        input=json.dumps(asking),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = iter(json.loads(told.stdout))
    return [each if isinstance(each, str) else _peaks(next(answers)) for each in asked]


def held_back(folder: Path) -> Iterator[Case]:
    """FitCheck's own measurements that the file doesn't have, from its sdist.

    Of its archive, what it never fitted its constants to, and the one model that is
    missing in the file.
    """
    archive = _sdist(folder)
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            if "/measurements/" not in member.name or not member.name.endswith(".json"):
                continue
            file = opened.extractfile(member)
            document = json.load(file) if file else {}
            for run in document.get("runs", ()):
                new = "final" in member.name or "SmolLM2-360M" in run["model_id"]
                if new and "peak_reserved_mib" in run["measured"]:
                    yield tesla_case(run)


def _peaks(answer: list[float] | str) -> Peaks | str:
    if isinstance(answer, str):
        return answer
    levels = (ALLOCATED, RESERVED, DEVICE, WITHOUT)
    told = (*answer, answer[-1])
    return {level: round(mib * MIB) for level, mib in zip(levels, told, strict=True)}


def _question(case: Case) -> dict[str, object] | str:
    options = case.options
    if options.get("compat.full_training"):
        return "full training with a 16-bit optimizer"
    if not any(str(target).endswith("_proj") for target in options["lora.targets"]):
        return "targets that it doesn’t know"
    quantized = options["model.precision"] == "nf4"
    entry = json.loads(
        (Path(__file__).parent / "data" / "model_configs.json").read_text("utf-8")
    )["models"][case.model]
    return {
        "config": entry["config"],
        "parameters": entry["parameters"],
        "gpu": "t4" if case.capability == (7, 5) else "a100-80",
        "training": {
            "precision": options["model.compute_dtype"],
            "quantization": "nf4" if quantized else "none",
            "double_quant": bool(quantized and options["model.double_quant"]),
            "batch_size": options["train.micro_batch"],
            "seq_len": options["train.sequence_length"],
            "lora_rank": options["lora.rank"],
            "lora_targets": list(options["lora.targets"]),
            "grad_checkpoint": options["train.checkpointing"],
            "flash_attn": options["model.attention"] != "eager",
        },
    }


def _environment(folder: Path) -> Path:
    place = folder / "fitcheck"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (place / "ready").exists():
        venv.create(place, with_pip=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", FITCHECK], check=True
        )
        (place / "ready").touch()
    return python


def _sdist(folder: Path) -> Path:
    found = list(folder.glob("fitcheck_llm-*.tar.gz"))
    if found:
        return found[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", ":all:", "-d", str(folder)]
    subprocess.run([*command, FITCHECK], check=True)
    return next(folder.glob("fitcheck_llm-*.tar.gz"))
