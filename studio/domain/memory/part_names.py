"""What the parts of a peak are called, so that formula and dry run agree word for word.

People read these names in the window and on the command line; programs read them in
the JSON of `snugtune estimate`.
"""

from typing import Final

QUANTIZED: Final = "Base weights, quantised"
SCALES: Final = "Quantisation constants"
PLAIN: Final = "Base weights, not quantised"
LOADING: Final = "Weights on their way"
WARM_UP: Final = "Room made for loading"
BUFFERS: Final = "Position tables"
ADAPTER: Final = "Adapter"
GRADIENTS: Final = "Gradients"
STATES: Final = "Optimizer states"
PAGED_STATES: Final = "Paged optimizer states"
STEP_TEMPORARIES: Final = "Optimizer-step temporaries"
CHECKPOINTED: Final = "Checkpointed activations"
REMEMBERED: Final = "Remembered activations"
RECOMPUTED: Final = "One layer, recomputed"
ACTIVATION_GRADIENTS: Final = "Gradients of activations"
ATTENTION: Final = "Attention"
DEQUANTIZED: Final = "Dequantised weights"
LOGITS: Final = "Logits and loss"
BATCH: Final = "Batch"
REFERENCE: Final = "Asking the model before training"
MEASURING: Final = "Measuring the held-out loss"
ANSWERING: Final = "Sample answers and their cache"
WORKSPACES: Final = "Workspaces"
FRAGMENTATION: Final = "Fragmentation"
RUNTIME: Final = "Python and its libraries"
