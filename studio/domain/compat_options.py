"""The options that price another program's run; the table's source beside the others.

They are declared as those in `studio.domain.recipe_options` are.
"""

from dataclasses import dataclass

from studio.domain.options import flag


@dataclass(frozen=True, slots=True, kw_only=True)
class CompatOptions:
    """Habits of other programs, for comparing a prediction with their measurements.

    They price another program's run; training ignores them and says so.
    """

    upcast_unquantized: bool = flag(
        default=False,
        title="Unquantised weights in FP32",
        help="Priced only: what peft's prepare_model_for_kbit_training does.",
        effect="2 bytes more a weight that isn't quantised, and FP32 activations.",
    )
    full_logits: bool = flag(
        default=False,
        title="All logits at once",
        help="Priced only: the loss that models bring, instead of one in tiles.",
        effect="About 12 bytes for each token and word of the vocabulary.",
    )
    autocast: bool = flag(
        default=False,
        title="Autocast",
        help="Priced only: mixed precision. With any of these options set, this one "
        "alone decides it.",
        effect="Each product copies to the compute format what is in another one.",
    )
    shifted_logits_copy: bool = flag(
        default=False,
        title="Shifted copy of the logits",
        help="Priced only: the loss of transformers before version 5.",
        effect="4 bytes more for each token and word of the vocabulary.",
    )

    early_logits_upcast: bool = flag(
        default=False,
        title="Logits in FP32 from the model",
        help="Priced only: transformers before 4.46, which let the 16-bit ones go.",
        effect="2 bytes less for each token and word of the vocabulary.",
    )
    upcast_norms: bool = flag(
        default=False,
        title="Norms in FP32",
        help="Priced only: what trl before 1.0 leaves in FP32 of a quantised model.",
        effect="The hidden states between layers are FP32 as well.",
    )
    full_training: bool = flag(
        default=False,
        title="Every weight is trained",
        help="Priced only: every weight is trained, without an adapter.",
        effect="Gradients and optimizer states of all weights.",
    )

    @property
    def keeps_outputs(self) -> bool:
        """Whether the logits live until the backward pass is over.

        They do in a plain loop, where a variable holds them. transformers' Trainer,
        from which autocast and the shifted copy come, lets them go with the forward.
        """
        return not (self.autocast or self.shifted_logits_copy)
