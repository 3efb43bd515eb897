"""One adapter that is to be combined: a run's, an exported one, or another's.

What it does must be a plain product on the base as it is: else a sum of such products
is not what the adapters do together.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from peft import LoraConfig, PeftConfig
from peft.utils.other import get_pattern_key

from studio.domain.errors import StudioError, refusal
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.engine.adapter_files import card_of, refuse_without_adapter
from studio.engine.exporting.adapter import in_public
from studio.engine.merging.plan import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from studio.engine.model_card import (
    public_name,
    repairs_base,
    revision_of,
    stretch_in,
)
from studio.engine.model_places import place_if_here
from studio.engine.trained_beside import PREFIX
from studio.storage.data_digest import sha256_of
from studio.storage.run_directory import RunDirectory
from studio.storage.safetensors_headers import TensorPlace, read_header

_FACTOR = re.compile(rf"{re.escape(PREFIX)}(.+)\.lora_([AB])\.weight")
_FORMATS = frozenset({"F64", "F32", "F16", "BF16"})
_MATRIX = 2
# What a configuration may say without a change of what the adapter computes, or with
# one that is heeded here.
_HEEDED = frozenset(
    {
        "alpha_pattern",
        "auto_mapping",
        "base_model_name_or_path",
        "ensure_weight_tying",
        "exclude_modules",
        "fan_in_fan_out",
        "inference_mode",
        "init_lora_weights",
        "layers_pattern",
        "layers_to_transform",
        "loftq_config",
        "lora_alpha",
        "lora_dropout",
        "megatron_config",
        "megatron_core",
        "modules_to_save",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "r",
        "rank_pattern",
        "revision",
        "runtime_config",
        "target_modules",
        "task_type",
        "use_rslora",
    }
)
# Other ways of beginning leave the base as it is, or were put back since.
_OF_ANOTHER_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True, slots=True)
class Layer:
    """What an adapter has of one layer.

    Attributes:
        rank: Of its factors.
        inputs: Of the layer.
        outputs: Of the layer.
        alpha: That its product is scaled by, over the rank or the rank's root.
    """

    rank: int
    inputs: int
    outputs: int
    alpha: float


@dataclass(frozen=True, slots=True)
class Part:
    """An adapter that is to be combined.

    Attributes:
        name: For people.
        folder: Holds weights and configuration.
        config: As peft reads it.
        base: What its base is called in public; empty where it isn't told.
        revision: The base's commit; empty where unknown.
        layers: By the names of the base's modules.
        recipe: Of its run, where that is here.
        card: Its card; empty without one.
        sha256: Of its weights.
    """

    name: str
    folder: Path
    config: LoraConfig
    base: str
    revision: str
    layers: Mapping[str, Layer]
    recipe: Recipe | None
    card: str
    sha256: str

    @property
    def stretch(self) -> float:
        """What the base's positions are divided by under it."""
        if self.recipe is not None:
            return self.recipe.model.stretch
        return stretch_in(self.card)

    @property
    def rank(self) -> int:
        """The highest of its layers."""
        return max(layer.rank for layer in self.layers.values())

    @property
    def has_tokenizer(self) -> bool:
        """Whether one lies beside its weights."""
        return (self.folder / "tokenizer_config.json").is_file()


def part_at(path: Path) -> Part:
    """The adapter that lies somewhere, if it can be combined.

    Args:
        path: A run's folder, or an adapter's.

    Raises:
        StudioError: There is none, or it is more than a product on its base.
    """
    name, folder, run = _found(path.absolute())
    recipe = run.read_recipe() if run else None
    config = _config(name, folder)
    # A checkpoint has no card of its own.
    card = card_of(folder) or (card_of(run.adapter_path) if run else "")
    if repairs_base(card) or (recipe and recipe.lora.variant is LoraVariant.LOFTQ):
        raise _refused(
            "repairs-base",
            name,
            "makes good a part of what 4 bits lost (LoftQ)",
            "That part would count once for each adapter.",
        )
    _refuse_kind(name, config)
    tensors = read_header(folder / ADAPTER_WEIGHTS).tensors
    layers = dict(_layers(name, config, tensors))
    digest = sha256_of(folder / ADAPTER_WEIGHTS)
    base, revision = _base(config, recipe)
    return Part(name, folder, config, base, revision, layers, recipe, card, digest)


def _found(path: Path) -> tuple[str, Path, RunDirectory | None]:
    """What an adapter is called, its folder, and the run that it is of."""
    if (path / ADAPTER_CONFIG).is_file():
        refuse_without_adapter(path)
        return _named(path)
    run = RunDirectory(path)
    if run.recipe_path.is_file():
        if run.read_recipe().trains_all:
            raise refusal(
                "combine.whole",
                f"{run.name} trained all weights: it has no adapter to combine.",
                fix="Combine runs that trained an adapter.",
                where=str(path),
            )
        refuse_without_adapter(run.adapter_path)
        return run.name, run.adapter_path, run
    raise refusal(
        "combine.no-adapter",
        "This folder is neither a run nor an adapter in safetensors.",
        fix="Name a run of snugtune runs, or the folder of an adapter.",
        where=str(path),
    )


def _named(folder: Path) -> tuple[str, Path, RunDirectory | None]:
    """An adapter's folder: a run's own, one of its checkpoints, or another's."""
    above, further = RunDirectory(folder.parent), RunDirectory(folder.parent.parent)
    if above.adapter_path == folder and above.recipe_path.is_file():
        return above.name, folder, above
    if further.checkpoints_path == folder.parent and further.recipe_path.is_file():
        return f"{further.name} {folder.name}", folder, further
    # Exports call each of them `adapter`.
    is_export = folder.name == above.adapter_path.name
    return (above.name if is_export else folder.name), folder, None


def _base(config: LoraConfig, recipe: Recipe | None) -> tuple[str, str]:
    """Name and commit of a base, which a checkpoint names by where it lies."""
    told = str(config.base_model_name_or_path or "")
    name, revision = in_public(told), config.revision or ""
    if name == told or recipe is None:
        return name, revision
    place = place_if_here(recipe.model.name)
    if place is None:
        return name, revision
    return public_name(place), revision or revision_of(place)


def _config(name: str, folder: Path) -> LoraConfig:
    try:
        found = PeftConfig.from_pretrained(str(folder))
    except (OSError, ValueError, TypeError, KeyError) as fault:
        raise refusal(
            "combine.config",
            f"peft can’t read this adapter’s configuration: {fault}".rstrip(".") + ".",
            fix="Take the adapter from where it was made once more.",
            where=str(folder / ADAPTER_CONFIG),
        ) from fault
    if type(found) is not LoraConfig:
        raise _refused(
            "kind",
            name,
            f"is {found.peft_type}, and not LoRA",
            "What it does is more than a product.",
        )
    return found


def _refuse_kind(name: str, config: LoraConfig) -> None:
    if config.use_dora:
        raise _refused(
            "dora",
            name,
            "is DoRA",
            "Lengths and directions of several adapters don’t add up.",
        )
    if config.target_parameters:
        raise _experts(name)
    init = config.init_lora_weights
    if isinstance(init, str) and init.startswith(_OF_ANOTHER_BASE):
        raise _refused(
            "other-base",
            name,
            f"belongs on a base that {init} changed",
            "On the base as it is, it does something else.",
            fix="Convert it to plain LoRA first, as Snugtune’s own PiSSA runs are.",
        )
    usual = LoraConfig()
    for field in fields(config):
        told = getattr(config, field.name)
        if field.name not in _HEEDED and told != getattr(usual, field.name):
            raise _refused(
                "kind",
                name,
                f"is a kind of LoRA of its own ({field.name} is {told})",
                "What it does is more than a product.",
            )


def _layers(
    name: str, config: LoraConfig, tensors: Mapping[str, TensorPlace]
) -> Iterator[tuple[str, Layer]]:
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for tensor, place in tensors.items():
        factor = _FACTOR.fullmatch(tensor)
        if factor is None:
            raise _beside(name, tensor)
        if len(place.shape) != _MATRIX or place.format not in _FORMATS:
            raise _broken(name, tensor)
        found.setdefault(factor[1], {})[factor[2]] = place.shape
    if not found:
        raise _broken(name, ADAPTER_WEIGHTS)
    for module, shapes in sorted(found.items()):
        if set(shapes) != {"A", "B"} or shapes["A"][0] != shapes["B"][1]:
            raise _broken(name, module)
        (rank, inputs), (outputs, _) = shapes["A"], shapes["B"]
        told, alpha = _told(config, module)
        if told != rank:
            if rank % told == 0 and "expert" in module:
                raise _experts(name)
            raise _broken(name, module)
        yield module, Layer(rank, inputs, outputs, alpha)


def _told(config: LoraConfig, module: str) -> tuple[int, float]:
    """Rank and alpha of a layer, by patterns where these name it."""
    ranks, alphas = config.rank_pattern or {}, config.alpha_pattern or {}
    rank = ranks.get(get_pattern_key(list(ranks), module), config.r)
    alpha = alphas.get(get_pattern_key(list(alphas), module), config.lora_alpha)
    return int(rank), float(alpha)


def _beside(name: str, tensor: str) -> StudioError:
    if "experts" in tensor:
        return _experts(name)
    weight = tensor.removeprefix(PREFIX)
    return _refused(
        "beside",
        name,
        f"holds more than products ({weight})",
        "Weights that take the place of the base’s own don’t add up.",
    )


def _experts(name: str) -> StudioError:
    return _refused(
        "experts",
        name,
        "adapts a mixture’s experts",
        "peft combines adapters of whole layers alone.",
    )


def _broken(name: str, where: str) -> StudioError:
    return refusal(
        "combine.broken",
        f"The weights of {name} aren’t what its configuration says.",
        fix="Take the adapter from where it was made once more.",
        where=where,
    )


def _refused(code: str, name: str, what: str, why: str, fix: str = "") -> StudioError:
    return refusal(
        f"combine.{code}",
        f"The adapter of {name} {what}, so it can’t be combined.",
        why=why,
        fix=fix or "Leave it out, or merge it into its base and train on that.",
        where=name,
    )
