"""No dropout at all, where trl turns off modules alone.

A method that compares a model with itself asks trl for no dropout, which sets p of each
``torch.nn.Dropout`` to 0 (trl 1.16, trainer/utils.py, `disable_dropout_in_model`). Most
models of transformers 5 give attention a plain number instead, and go on dropping by
it. It lies on a layer (`attention_dropout` of Llama, `attn_dropout` of StarCoder,
`layerdrop` of OPT), or is read from the config in each pass (Persimmon, Falcon).
"""

from typing import Any

from torch import nn
from transformers import PreTrainedConfig

_MODULES = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)


def turn_off_dropout(model: nn.Module) -> None:
    """Let nothing of a model drop anything in training, adapters included.

    What the model's config says when it is saved stays as it was.

    Args:
        model: Changed in place; as often as one likes.
    """
    views: dict[int, PreTrainedConfig] = {}
    for module in model.modules():
        if isinstance(module, _MODULES):
            module.p = 0.0
        held = vars(module)
        for name, value in list(held.items()):
            if _drops(name, value):
                held[name] = 0.0
            elif isinstance(value, PreTrainedConfig) and _says_drops(value):
                key = id(vars(value))  # of the dictionary, which the view keeps alive
                if key not in views:
                    views[key] = _without_drops(value)
                held[name] = views[key]


def _drops(name: str, value: object) -> bool:
    """Whether an attribute is a share that is dropped, of entries or whole layers."""
    return "drop" in name and isinstance(value, float) and 0 < value <= 1


def _says_drops(config: PreTrainedConfig) -> bool:
    is_view = isinstance(config, _SaysNoDrops)
    return not is_view and any(_drops(*each) for each in vars(config).items())


class _SaysNoDrops:
    """A config's attributes with 0 in place of every share that is dropped."""

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - as the config's own
        value = super().__getattribute__(name)
        return 0.0 if _drops(name, value) else value


def _without_drops(config: PreTrainedConfig) -> PreTrainedConfig:
    """A view of a config, for layers to read.

    Both have one dictionary. So what is written into either is found in both, and what
    is saved of either, which is made of the dictionary, holds the config's own numbers.
    The view's class has the config's name, for transformers goes by that.
    """
    kind = type(config)
    members = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    made = type(kind.__name__, (_SaysNoDrops, kind), members)
    view: PreTrainedConfig = object.__new__(made)
    view.__dict__ = vars(config)
    return view
