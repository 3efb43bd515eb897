"""How fast a model bears to learn, by its width: for proposals and for doubts."""

import math

from studio.domain.architecture import ModelArchitecture
from studio.domain.method_options import Method
from studio.domain.recipe import Recipe
from studio.domain.train_options import LIONS

# The best rate of LoRA on Llama and Qwen models of 1 to 70 billion weights, at the
# steepest: 5e-4 x (2000 / width)^0.78 (Thinking Machines 2025, LoRA Without Regret;
# tinker-cookbook, hyperparam_utils.py). All weights take a tenth of what an adapter
# takes (the same article).
_BEST, _WIDTH, _POWER = 5e-4, 2000, 0.78
_ALL_WEIGHTS = 0.1

# Lion wants a third to a tenth of AdamW's (Chen et al. 2023, arXiv 2302.06675,
# section 5): as a geometric mean.
_LION = 0.18

# trl's own rates for whole models are 1e-6 for DPO and KTO and 2e-5 for SFT
# (dpo_config.py, kto_config.py, sft_config.py, `learning_rate`); ORPO, which learns the
# better answer as well, was found at 8e-6 (Hong et al. 2024, arXiv 2403.07691, app. C).
_JUDGED = {Method.DPO: 0.05, Method.KTO: 0.05, Method.ORPO: 0.4}

# LoRA+ wants half the rate where B learns 16 times as fast, and all of it at 1 (Hayou
# et al. 2024, arXiv 2402.12354, and the notes to their code); between and beyond, the
# power that goes through both.
_PLUS = -1 / 4

# Rounded to one digit, two thirds of the best are the very rates that QLoRA took: 2e-4
# for 7 and 13 billion weights, 1e-4 for 33 and 65 billion (Dettmers et al. 2023,
# arXiv 2305.14314, table 9; widths 4,096, 5,120, 6,656 and 8,192).
_STEADY = 2 / 3


def best_rate(model: ModelArchitecture, recipe: Recipe) -> float:
    """The rate that was found to teach the most; above it, training grows unsteady."""
    best = _BEST * math.pow(_WIDTH / model.hidden, _POWER)
    if recipe.train.optimizer in LIONS:
        best *= _LION
    best *= _JUDGED.get(recipe.train.method, 1.0)
    if recipe.trains_all:
        return best * _ALL_WEIGHTS
    return best * math.pow(recipe.lora.plus_ratio, _PLUS)


def steady_rate(model: ModelArchitecture, recipe: Recipe) -> float:
    """A rate to propose, a little below the best; of one digit."""
    return float(f"{best_rate(model, recipe) * _STEADY:.0e}")
