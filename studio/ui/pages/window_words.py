"""What a finding says in the window, where the terminal has a flag for it.

Findings name the flags of a command, which nobody types in a window. What is said here
instead names the control that does the same, by the words that stand on it; where there
is none, what can be done without it, or what to type in a terminal. It goes by the
finding's code, because an engine's word tells no more than that and its texts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from studio.domain.finding import Finding

_FLAG: Final = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_AT_FLAG: Final = re.compile(r"^--[a-z][a-z-]*: ")  # as an engine says a place


@dataclass(frozen=True, slots=True)
class WindowWords:
    """What stands in place of flags.

    Attributes:
        fix: For advice that names one; empty where the advice names none.
        control: For one that is the place of the finding; empty leaves the place out.
    """

    fix: str = ""
    control: str = ""


_OTHER_FOLDER: Final = WindowWords(
    "Take another one by “Change folder…”, or press “Export and prove” again and "
    "choose “Replace”."
)
_AS_TRAINED: Final = WindowWords("Untick “As trained, 4 bits unpacked”.")
_DATA_FILE: Final = WindowWords("Name a data file under “Measure with”.")
_PUSHED_ALL_THE_SAME: Final = (
    "open this dialog again: it then offers “Push it all the same, with a card that "
    "says so”."
)

WINDOW_WORDS: Final[Mapping[str, WindowWords]] = {
    "address.bad": WindowWords(
        "Give an https address. In a terminal, snugtune data make takes this one with "
        "--allow-http.",
        control="Address",
    ),
    "address.failed": WindowWords(control="Address"),
    "combine.no-tokenizer": WindowWords(
        "Bring their base to this machine; the Model page says how. In a terminal, "
        "snugtune combine takes its folder with --base."
    ),
    "combine.place-taken": WindowWords("Give it another “Name”."),
    "data.fix-exists": WindowWords("Mend it again; it then takes another name."),
    "evaluation.no-data": _DATA_FILE,
    "evaluation.no-rows": WindowWords(
        "Name another file under “Measure with”. In a terminal, snugtune evaluate "
        "assigns the columns of a file with --columns."
    ),
    "evaluation.nothing-held-out": _DATA_FILE,
    "export.nothing-merged": WindowWords(
        "Untick “As trained, 4 bits unpacked”, or tick “Merged model” too."
    ),
    "export.place-taken": _OTHER_FOLDER,
    "hub.public": WindowWords(
        "Choose another name, make it private on its page, or untick “Private: only "
        "you, or its owners, may see it”."
    ),
    "hub.revision": WindowWords(
        "Choose another repository, or make its main branch on its page."
    ),
    "memory.no-formula": WindowWords(
        "The dry run prices it: it goes through the same code without its memory, and "
        "begins by itself."
    ),
    "merge.not-four-bit": _AS_TRAINED,
    "merge.overflow": WindowWords(control="Format of the merged weights"),
    "merge.pissa-as-trained": _AS_TRAINED,
    "merge.target-exists": _OTHER_FOLDER,
    "parity.no-origin": WindowWords("Export the run’s “Merged model” anew."),
    "push.differs": WindowWords(f"Look at its certificate, or {_PUSHED_ALL_THE_SAME}"),
    "push.name": WindowWords(control="Repository"),
    "push.unproven": WindowWords(
        "Compare it by “Export and prove”, which makes it anew, or "
        f"{_PUSHED_ALL_THE_SAME}"
    ),
    "recipe.key": WindowWords("Take it out of the recipe."),
}
"""By a finding's code."""


def in_window(finding: Finding) -> Finding:
    """The finding as the window says it; one that names no flag stays as it is."""
    words = WINDOW_WORDS.get(finding.code, WindowWords())
    place = f"{words.control}: " if words.control else ""
    names_flag = _FLAG.search(finding.how_to_fix) is not None
    return replace(
        finding,
        what=_AT_FLAG.sub(place, finding.what),
        how_to_fix=words.fix if names_flag and words.fix else finding.how_to_fix,
        where=words.control if _FLAG.match(finding.where) else finding.where,
    )
