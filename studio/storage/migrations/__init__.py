"""The steps that lift a document of an older version to the present one.

Each kind of document has a row here. Step n, a module of this folder named
``<kind>_<n>_to_<n+1>.py``, turns version n into n + 1; the present version follows
from how many steps there are, so a version can't be raised without its step.
"""

from collections.abc import Callable, Mapping, Sequence

Document = dict[str, object]
Step = Callable[[Document], Document]

MIGRATIONS: Mapping[str, Sequence[Step]] = {
    "recipe": (),
    "project": (),
    "preferences": (),
    "models": (),
    "gpus": (),
    "programs": (),
    "queue": (),
}


def current_version(kind: str) -> int:
    """The version that this program writes for a kind of document."""
    return len(MIGRATIONS[kind]) + 1
