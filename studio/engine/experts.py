"""How a mixture's experts are computed: all chosen pairs in one product, always.

transformers 5.23 knows three ways (integrations/moe.py). ``eager`` goes from expert to
expert by indexing the stack of weights, so that every expert's gradient is as large as
the whole stack; ``batched_mm`` copies an expert's weights for every pair of token and
expert. ``grouped_mm`` does neither, works in every number format, and goes from expert
to expert by itself where torch has no such product. It is taken under a name of the
engine's own, because `generate` exchanges ``grouped_mm`` for ``batched_mm`` on a card
(generation/utils.py, `_optimize_model_for_decode`): eight prompts of Mixtral 8x7B would
then copy 3.5 GiB of weights in each layer.
"""

from transformers.integrations.moe import (
    ALL_EXPERTS_FUNCTIONS,
    grouped_mm_experts_forward,
)

EXPERTS = "snugtune_grouped_mm"
ALL_EXPERTS_FUNCTIONS.register(EXPERTS, grouped_mm_experts_forward)
