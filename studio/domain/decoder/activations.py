"""A feed-forward block's nonlinear function, by the name that a config has for it.

What each allocates was read in transformers 5.23, activations.py.
"""

from studio.domain.decoder.block import Activation
from studio.domain.decoder.config import Config, config_refused
from studio.domain.errors import refusal
from studio.domain.finding import Finding

_KNOWN = {
    "silu": Activation.KERNEL,
    "swish": Activation.KERNEL,
    "gelu": Activation.KERNEL,
    "gelu_pytorch_tanh": Activation.KERNEL,
    "hardswish": Activation.KERNEL,
    "leaky_relu": Activation.KERNEL,
    "relu6": Activation.KERNEL,
    "relu": Activation.FROM_OUTPUT,
    "sigmoid": Activation.FROM_OUTPUT,
    "tanh": Activation.FROM_OUTPUT,
    "gelu_new": Activation.COMPOSED,
    "gelu_accurate": Activation.COMPOSED,
    "gelu_python_tanh": Activation.COMPOSED,
    "gelu_fast": Activation.FAST,
    "quick_gelu": Activation.QUICK,
}
# Those of transformers that the formula doesn't know; the dry run prices them.
_OTHERS = frozenset(
    {"gelu_10", "gelu_python", "laplace", "linear", "mish", "prelu", "relu2"}
    | {"sqrtsoftplus", "xielu"}
)
ACTIVATION_NAMES = frozenset(_KNOWN) | _OTHERS

# How a family's config calls it, and what it is where the config is silent.
_KEYS = {
    "gpt2": "activation_function",
    "gpt_bigcode": "activation_function",
    "gemma2": "hidden_activation",
    "gemma3_text": "hidden_activation",
}
_USUAL = {
    "gpt2": "gelu_new",
    "gpt_neox": "gelu",
    "gpt_bigcode": "gelu_pytorch_tanh",
    "starcoder2": "gelu_pytorch_tanh",
    "gemma": "gelu_pytorch_tanh",
    "gemma2": "gelu_pytorch_tanh",
    "gemma3_text": "gelu_pytorch_tanh",
}


def activation_of(text: Config, *, has_experts: bool) -> Activation:
    """The function between a block's linear layers.

    Args:
        text: Of a family that the formula knows.
        has_experts: Whether it is computed by experts, which the formula knows with
            one kernel alone.

    Raises:
        StudioError: The formula doesn't know it.
    """
    name = _named(text)
    found = _KNOWN.get(name) if isinstance(name, str) else None
    if found is None or (has_experts and found is not Activation.KERNEL):
        raise refusal(
            "model.architecture",
            f"Models whose blocks compute “{name}” can’t be priced yet.",
            fix="They can still be trained; watch the memory of the first steps.",
            where="config.json",
        )
    return found


def unknown_activation(text: Config) -> Finding | None:
    """That transformers knows no such function; None where it does.

    Args:
        text: Of a family that the formula knows.
    """
    name = _named(text)
    if isinstance(name, str) and name in ACTIVATION_NAMES:
        return None
    return config_refused(
        f"says {_key(text)} = “{name}”, a function that transformers doesn’t know"
    )


def _named(text: Config) -> object:
    usual = _USUAL.get(text.family, "silu")
    return text.values.get(_key(text), usual)


def _key(text: Config) -> str:
    return _KEYS.get(text.family, "hidden_act")
