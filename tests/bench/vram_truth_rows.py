"""From a row of published measurements to a recipe of ours, or to why there is none.

The columns of the file are described by its header and in its notes. A row is mapped
when its shapes are fixed and its program is one whose steps the dry run can take; every
other row is kept with its reason, so that nothing is dropped in silence.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

GIB = 1 << 30
MIB = 1 << 20
ALLOCATED, RESERVED, DEVICE = "allocated", "reserved", "device"
# fms-acceleration's later table has this much more beside torch's allocator than its
# earlier one (see vram_truth_earlier.py), so what is left without it is told, too.
LATER_BESIDE = 1163 * MIB
WITHOUT = "device, 1,163 MiB less"
FUSED = "another program’s fused kernels (fms-acceleration’s, Liger’s)"

_NAMES = {
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": "TinyLlama-1.1B",
    "HuggingFaceTB/SmolLM2-135M": "SmolLM2-135M",
    "HuggingFaceTB/SmolLM2-360M": "SmolLM2-360M",
    "HuggingFaceTB/SmolLM2-1.7B": "SmolLM2-1.7B",
    "Qwen/Qwen2.5-1.5B-Instruct": "Qwen2.5-1.5B",
    "Qwen/Qwen2.5-Coder-1.5B-Instruct": "Qwen2.5-1.5B",
    "Qwen/Qwen2.5-7B-Instruct": "Qwen2.5-7B",
    "mistralai/Mistral-7B-v0.1": "Mistral-7B-v0.1",
    "mistralai/Mistral-7B-Instruct-v0.3": "Mistral-7B-v0.3",
    "deepseek-ai/deepseek-coder-1.3b-instruct": "deepseek-coder-1.3b",
    "meta-llama/Llama-3.2-1B-Instruct": "Llama-3.2-1B",
    "meta-llama/Llama-3.2-3B-Instruct": "Llama-3.2-3B",
    "NousResearch/Llama-2-70b-hf": "Llama-2-70B",
    "ibm/PowerLM-3b": "PowerLM-3b",
    "bigcode/gpt_bigcode-santacoder": "gpt_bigcode-santacoder",
}
# Of adapters, in each of fms-acceleration's tables (column lora_dropout).
_DROPOUT = 0.1
_TARGETS = {
    "q,k,v,o": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "c_attn": ("c_attn",),
}
# What torch finds on them; of an A100 of 80 GB 79.25 GiB (its message of a full card in
# github.com/levihsu/OOTDiffusion/issues/235).
_T4 = ((7, 5), 14912 * MIB)
_A100 = ((8, 0), 79 * GIB + 256 * MIB)


@dataclass(frozen=True, slots=True)
class Case:
    """A measurement that the dry run can be held against.

    Attributes:
        line: In the file of measurements, from 1; 0 for others.
        group: Rows of one source and one way of training.
        quality: As the file has it.
        model: A key of data/model_configs.json.
        options: The recipe's, by key.
        capability: Of the card.
        total_bytes: Of the card.
        measured: Bytes by level; a level that wasn't measured is missing.
        at_step_only: Whether it can be compared only where the peak falls in the
            optimizer's step, which the program's own kernels have no part in.
    """

    line: int
    group: str
    quality: str
    model: str
    options: Mapping[str, object]
    capability: tuple[int, int]
    total_bytes: int
    measured: Mapping[str, int]
    at_step_only: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """A row that isn't compared, and why."""

    line: int
    quality: str
    reason: str


@dataclass(slots=True)
class Mapped:
    """All rows of a file."""

    cases: list[Case] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def read(path: Path) -> Mapped:
    """Map every row of a file of measurements."""
    mapped = Mapped()
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            found = case_of(line, row)
            if isinstance(found, Case):
                mapped.cases.append(found)
            else:
                mapped.left.append(Left(line, row["quality"], found))
    return mapped


def case_of(line: int, row: Mapping[str, str]) -> Case | str:
    """The case of a row, or the reason why it has none."""
    source = row["source_url_or_repo_path"]
    if "fitcheck-llm" in source:
        return _tesla(line, row)
    if "fms-acceleration" in source:
        return _accelerated(line, row)
    return _reason(row)


def tesla_options(
    *,
    quantized: bool,
    attention: str,
    rank: int,
    micro_batch: int,
    length: int,
    targets: tuple[str, ...] = _TARGETS["q,k,v,o"],
) -> dict[str, object]:
    """The loop of FitCheck's scripts/measure.py as a recipe.

    fp16 without autocast, fp32 adapters, the model's own loss, AdamW as torch chooses
    it on a card (foreach), non-reentrant checkpointing, and for a quantised model
    peft's `prepare_model_for_kbit_training`.
    """
    return {
        "model.precision": "nf4" if quantized else "fp16",
        "model.double_quant": False,
        "model.compute_dtype": "fp16",
        "model.attention": attention,
        "lora.rank": rank,
        "lora.targets": targets,
        "lora.adapter_dtype": "fp32",
        "train.sequence_length": length,
        "train.micro_batch": micro_batch,
        "train.accumulation": 1,
        "train.optimizer": "adamw_foreach",
        "train.checkpointing": True,
        "compat.full_logits": True,
        "compat.upcast_unquantized": quantized,
    }


def tesla_group(options: Mapping[str, object]) -> str:
    """How the rows of the T4 are told apart."""
    base = "NF4" if options["model.precision"] == "nf4" else "fp16"
    return f"T4, {base} LoRA, {options['model.attention']}"


def tesla_case(run: Mapping[str, dict]) -> Case:
    """A run of FitCheck's archive, which has the same columns by other names."""
    settings, measured = run["run"], run["measured"]
    options = tesla_options(
        quantized=settings["quantization"] == "nf4",
        attention=settings["attn_impl"],
        rank=settings["lora_rank"],
        micro_batch=settings["batch_size"],
        length=settings["seq_len"],
        targets=tuple(settings["lora_targets"]),
    )
    return Case(
        line=0,
        group="T4, not in the file",
        quality="A",
        model=_NAMES[run["model_id"]],
        options=options,
        capability=_T4[0],
        total_bytes=_T4[1],
        measured={
            ALLOCATED: round(measured["peak_allocated_mib"] * MIB),
            RESERVED: round(measured["peak_reserved_mib"] * MIB),
            DEVICE: round(measured["process_mib"] * MIB),
        },
    )


def _tesla(line: int, row: Mapping[str, str]) -> Case:
    options = tesla_options(
        quantized=row["method"] == "qlora-nf4",
        attention="eager" if row["attention_impl"] == "eager" else "sdpa",
        rank=int(row["lora_r"]),
        micro_batch=int(row["micro_batch"]),
        length=int(row["seq_len"]),
        targets=_TARGETS[row["target_modules"]],
    )
    return Case(
        line=line,
        group=tesla_group(options),
        quality=row["quality"],
        model=_NAMES[row["model"]],
        options=options,
        capability=_T4[0],
        total_bytes=_T4[1],
        measured=_measured(row),
    )


def _accelerated(line: int, row: Mapping[str, str]) -> Case | str:
    """IBM's fms-acceleration: trl's trainer of its time on packed rows, one A100."""
    method, has_kernels = row["method"], row["kernels"] != "none"
    if has_kernels and method != "full":
        return FUSED
    if not row["seq_len"].isdigit():
        return "lengths of the rows aren’t stated"
    if "bigcode" in row["model"]:
        return "the model’s own loss in transformers 4.48 (in 16 bits), not priced"
    is_quantized = method == "qlora-nf4"
    upcasts = "baseline-peft-bnb" in row["notes"]
    options: dict[str, object] = {
        "model.precision": "nf4" if is_quantized else "bf16",
        "model.double_quant": True,
        "model.compute_dtype": "bf16",
        "model.attention": "flash",
        "train.sequence_length": int(row["seq_len"]),
        "train.micro_batch": int(row["micro_batch"]),
        "train.accumulation": 1,
        "train.optimizer": "adamw_foreach",
        "train.checkpointing": True,
        "compat.shifted_logits_copy": True,
        "compat.autocast": "bf16 autocast" in row["dtype"],
        "compat.upcast_norms": upcasts,
        "compat.early_logits_upcast": "transformers 4.45" in row["lib_versions"],
        "compat.full_training": method == "full",
        "lora.adapter_dtype": "fp32",
    }
    if method != "full":
        options["lora.rank"] = int(row["lora_r"])
        options["lora.targets"] = _TARGETS[row["target_modules"]]
        options["lora.dropout"] = _DROPOUT
    kind = {"full": "bf16 full", "lora": "bf16 LoRA"}.get(method, "NF4 LoRA")
    is_later = "transformers 4.48" in row["lib_versions"]
    table = "A100, later table" if is_later else "A100"
    return Case(
        line=line,
        group=f"{table}, {kind}{_variant(upcasts=upcasts, has_kernels=has_kernels)}",
        quality=row["quality"],
        model=_NAMES[row["model"]],
        options=options,
        capability=_A100[0],
        total_bytes=_A100[1],
        measured=_measured_at_step(row) if has_kernels else _on_a100(row, is_later),
        at_step_only=has_kernels,
    )


def _variant(*, upcasts: bool, has_kernels: bool) -> str:
    if has_kernels:
        return ", fused kernels (peak in the optimizer’s step)"
    return ", upcast" if upcasts else ""


def _on_a100(row: Mapping[str, str], is_later: bool) -> dict[str, int]:
    measured = _measured(row)
    if is_later and DEVICE in measured:
        measured[WITHOUT] = measured[DEVICE] - LATER_BESIDE
    return measured


def _measured_at_step(row: Mapping[str, str]) -> dict[str, int]:
    """Live tensors alone: what was reserved rests on forward and backward as well."""
    return {ALLOCATED: _measured(row)[ALLOCATED]}


def _measured(row: Mapping[str, str]) -> dict[str, int]:
    columns = {
        ALLOCATED: "peak_alloc_gib",
        RESERVED: "peak_reserved_gib",
        DEVICE: "peak_nvml_gib",
    }
    return {
        level: round(float(row[column]) * GIB)
        for level, column in columns.items()
        if row[column]
    }


def _reason(row: Mapping[str, str]) -> str:
    for found, reason in _REASONS:
        if found(row):
            return reason
    raise ValueError(f"a row of an unknown source: {row['source_url_or_repo_path']}")


_REASONS: tuple[tuple[Callable[[Mapping[str, str]], bool], str], ...] = (
    (
        lambda row: "kernel" in row["quality"],
        "a single operator, not a training run",
    ),
    (
        lambda row: row["quality"].startswith("D"),
        "a rule of thumb, a rounding or an extrapolation, not a measurement",
    ),
    (
        lambda row: "boundary" in row["quality"],
        "says only whether it fitted",
    ),
    (
        lambda row: row["num_gpus"] != "1",
        "several cards",
    ),
    (
        lambda row: "component" in row["quality"] or "static" in row["quality"],
        "a part of a run, not its peak",
    ),
    (
        lambda row: (
            row["method"].startswith(("peft:", "hqq")) or "torchao" in row["method"]
        ),
        "an adapter or a quantisation that the engine doesn’t have",
    ),
    (
        lambda row: "litgpt" in f"{row['kernels']} {row['lib_versions']}".casefold(),
        "LitGPT’s own model code, adapter and loss",
    ),
    (
        lambda row: "unsloth" in row["kernels"].casefold(),
        "Unsloth’s own kernels, and rows of unknown length",
    ),
    (
        lambda row: "mean()" in row["notes"] or "leaks" in row["notes"],
        "a mean of logits as loss, or memory after the forward pass alone",
    ),
    (
        lambda row: row["seq_len"].startswith(("dynamic", "as above", "max ")),
        "lengths of the rows aren’t stated",
    ),
    (
        lambda row: "torchtune" in row["source_url_or_repo_path"],
        "torchtune’s own model code and loss, mostly compiled",
    ),
    (
        lambda row: "axolotl" in row["source_url_or_repo_path"],
        "rounded, and the settings may have changed since",
    ),
    (
        lambda row: "bert" in row["model"],
        "no language model that answers",
    ),
)


def reasons(left: list[Left]) -> Iterator[tuple[str, list[Left]]]:
    """The rows that aren't compared, by reason, the most frequent first."""
    by_reason: dict[str, list[Left]] = {}
    for each in left:
        by_reason.setdefault(each.reason, []).append(each)
    yield from sorted(by_reason.items(), key=lambda item: -len(item[1]))
