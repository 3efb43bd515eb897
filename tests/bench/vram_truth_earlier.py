"""The campaign before the file's: fms-acceleration's A100 under transformers 4.45.2.

The file of measurements has Mistral and Llama of that program's later table alone. The
earlier one (scripts/benchmarks/refs/a100_80gb.csv of its repository at 0aab2c6, one
card, no kernels of its own) holds the same runs by the same torch 2.4.1, and no rule of
the dry run was made for it. Where nothing but transformers differs both tables have the
same allocated peak to the byte, and the later one has 1,163 to 1,165 MiB more of the
device: StarCoder's seven rows (11,267,745,280 bytes and 13,953 or 15,116 MiB, say). So
that much of the later campaign lay beside torch's allocator.
"""

from collections.abc import Iterator
from dataclasses import replace

from tests.bench.vram_truth_rows import ALLOCATED, DEVICE, MIB, Case, case_of

GROUP = "A100, not in the file"
_FULL, _LORA, _UPCAST, _NF4 = "full", "lora", "baseline", "qlora-nf4"
_MISTRAL, _LLAMA = "mistralai/Mistral-7B-v0.1", "NousResearch/Llama-2-70b-hf"
# Model, way of training, rows at a time, allocated bytes, MiB of the device.
_ROWS = (
    (_MISTRAL, _FULL, 4, 72434853376, 76045),
    (_MISTRAL, _FULL, 8, 72435246592, 72725),
    (_MISTRAL, _LORA, 4, 25653881344, 28071),
    (_MISTRAL, _LORA, 8, 36643613184, 41407),
    (_MISTRAL, _UPCAST, 4, 20556796416, 24733),
    (_MISTRAL, _UPCAST, 8, 36801860096, 44727),
    (_MISTRAL, _NF4, 4, 15323147776, 18269),
    (_MISTRAL, _NF4, 8, 26312879616, 32693),
    (_LLAMA, _NF4, 4, 68126422016, 71647),
)


def earlier() -> Iterator[Case]:
    """Its rows, by the same rules as those of the file."""
    for model, way, micro_batch, allocated, device in _ROWS:
        is_quantized = way in {_UPCAST, _NF4}
        case = case_of(
            0,
            {
                "source_url_or_repo_path": "foundation-model-stack/fms-acceleration",
                "model": model,
                "method": _NF4 if is_quantized else way,
                "kernels": "none",
                "seq_len": "4096",
                "micro_batch": str(micro_batch),
                "dtype": "bf16 autocast" if is_quantized else "bfloat16",
                "notes": "baseline-peft-bnb" if way == _UPCAST else "",
                "lora_r": "16",
                "target_modules": "q,k,v,o",
                "lib_versions": "transformers 4.45.2",
                "quality": "A",
                "peak_alloc_gib": "",
                "peak_reserved_gib": "",
                "peak_nvml_gib": "",
            },
        )
        assert isinstance(case, Case)
        measured = {ALLOCATED: allocated, DEVICE: device * MIB}
        yield replace(case, group=GROUP, measured=measured)
