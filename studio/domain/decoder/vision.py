"""The vision part of a model that is taught text: it is loaded, and rests.

Its weights take memory, and its linear layers are quantised and adapted like all
others; without a picture nothing of it runs, so nothing of it gets gradients. Figures
follow transformers 5.23, models/siglip/modeling_siglip.py and
models/gemma3/modeling_gemma3.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from studio.domain.decoder.block import LinearShape
from studio.domain.decoder.config import Config

_COLOURS = 3
_SIGLIP = "siglip_vision_model"


@dataclass(frozen=True, slots=True)
class Tower:
    """A vision part.

    Attributes:
        linears: Its linear layers, and how often each is there.
        others: Entries of its other tensors, and how often each is there.
    """

    linears: tuple[tuple[LinearShape, int], ...]
    others: tuple[tuple[int, int], ...]

    @property
    def weights(self) -> int:
        """All its entries."""
        matrices = sum(count * linear.weights for linear, count in self.linears)
        return matrices + sum(count * entries for entries, count in self.others)


def tower_of(config: Mapping[str, object], hidden: int) -> Tower | None:
    """The vision part that a config tells of; None for none, and for unknown kinds.

    Args:
        config: The whole config.json.
        hidden: Width of the language model.
    """
    told = config.get("vision_config")
    if config.get("model_type") != "gemma3" or not isinstance(told, Mapping):
        return None
    vision = Config(told)
    if vision.family != _SIGLIP:
        return None
    width, layers = vision.whole("hidden_size"), vision.whole("num_hidden_layers")
    linears = _linears(width, vision.whole("intermediate_size"))
    biases = tuple((linear.outputs, layers) for linear in linears)
    projector = ((width, 1), (width * hidden, 1))
    return Tower(
        tuple((linear, layers) for linear in linears),
        (*biases, (width, 4 * layers), *_around(vision, width), *projector),
    )


def _linears(width: int, inner: int) -> tuple[LinearShape, ...]:
    attention = ("q_proj", "k_proj", "v_proj", "out_proj")
    return (
        *(LinearShape(x, width, width, bias=True, attends=True) for x in attention),
        LinearShape("fc1", width, inner, bias=True),
        LinearShape("fc2", inner, width, bias=True),
    )


def _around(vision: Config, width: int) -> tuple[tuple[int, int], ...]:
    """Patches, positions, the last norm, and the head if there is one."""
    patch = vision.whole("patch_size", default=16)
    rows = vision.whole("image_size", default=224) // patch
    patches = ((_COLOURS * patch**2 * width, 1), (width, 1))
    around = (*patches, (rows**2 * width, 1), (width, 2))
    if not vision.flag("vision_use_head", default=True):
        return around
    inner = vision.whole("intermediate_size")
    # The head attends by torch's own module, whose matrices stay as they are.
    attention = ((width, 1), (3 * width**2, 1), (3 * width, 1), (width**2, 1))
    return (
        *around,
        *attention,
        (width, 4),
        (width * inner, 2),
        (inner, 1),
    )
