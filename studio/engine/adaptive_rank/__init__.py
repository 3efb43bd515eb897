"""AdaLoRA: an adapter's rank is spread over its layers while it trains.

Zhang et al. 2023, arXiv 2303.10512.

- `directions`: a weight for each direction of an adapter, and what is handed over;
- `orthogonality`: keeps directions apart, so that each can be judged alone;
- `allocation`: judges them, and takes away those that matter least.

A direction is a row of A with its column of B. The product is B diag(E) A: E stands
between peft's own two matrices, so that its layers, formats and files serve as they do
for LoRA, and what is handed over is LoRA with E worked into A.
"""
