"""What a finding says in the window, where it speaks of what is typed in a terminal.

Findings name commands and their flags, which nobody types in a window. What is said
here instead names the control that does the same, by the words that stand on it, or its
page; where there is none, what can be done without it, or what to type in a terminal.
It goes by the finding's code, because an engine's word tells no more than that and its
texts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from studio.domain.finding import Finding

_TYPED: Final = re.compile(r"(?<![\w-])(?:--|snugtune )[a-z][a-z-]*")
# A flag, a command, or what a command's help calls an argument.
_PLACE: Final = re.compile(
    r"--[a-z][a-z-]*|snugtune [a-z -]+|RUN(?:_OR_[A-Z]+)?|TIME|NUMBER"
)
_AT_PLACE: Final = re.compile(rf"^(?:{_PLACE.pattern}): ")  # as an engine says it


@dataclass(frozen=True, slots=True)
class WindowWords:
    """What stands in place of what is typed.

    Attributes:
        fix: For advice that names a flag or a command; empty where it names none.
        control: For a place that is typed; empty leaves the place out.
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
    "combine.no-adapter": WindowWords("Untick that run."),
    "combine.no-tokenizer": WindowWords(
        "Bring their base to this machine; the Model page says how. In a terminal, "
        "snugtune combine takes its folder with --base."
    ),
    "combine.place-taken": WindowWords("Give it another “Name”."),
    "combine.weights": WindowWords(
        "Give each run that is ticked a number other than 0."
    ),
    "data.fix-exists": WindowWords("Mend it again; it then takes another name."),
    "data.none": WindowWords("Choose one on the Data page."),
    "data.not-fetched": WindowWords(
        "Fetch it on the Data page, by “From the Hugging Face hub…”."
    ),
    "data.unreviewed": WindowWords("Review them on the Data page."),
    "drafts.none": WindowWords(
        "Choose a file that “Make examples from documents…” wrote."
    ),
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
        "begins by itself on the Recipe page."
    ),
    "merge.not-four-bit": _AS_TRAINED,
    "merge.overflow": WindowWords(control="Format of the merged weights"),
    "merge.pissa-as-trained": _AS_TRAINED,
    "merge.target-exists": _OTHER_FOLDER,
    "model.none": WindowWords("Choose one on the Model page."),
    "parity.no-origin": WindowWords("Export the run’s “Merged model” anew."),
    "push.checkpoint": WindowWords("Push what “Export and prove” makes of the run."),
    "push.differs": WindowWords(f"Look at its certificate, or {_PUSHED_ALL_THE_SAME}"),
    "push.name": WindowWords(control="Repository"),
    "push.no-artefact": WindowWords("Make one by “Export and prove”."),
    "push.unproven": WindowWords(
        "Compare it by “Export and prove”, which makes it anew, or "
        f"{_PUSHED_ALL_THE_SAME}"
    ),
    "queue.not-started": WindowWords(
        "The Runs page tells how to mend it; move it there to have it tried again."
    ),
    "recipe.key": WindowWords("Take it out of the recipe."),
    "run.gone-on": WindowWords("The Runs page tells how it stands."),
    "run.not-a-run": WindowWords("Choose another one on the Runs page."),
    "run.unknown": WindowWords(
        "Look at the Runs page, which lists those that are here."
    ),
    "wait.no-card": WindowWords("The Hardware page says what is wrong with it."),
    "wait.unknown-need": WindowWords(
        "The Recipe page finds it out by a dry run of the same recipe."
    ),
}
"""By a finding's code."""


def in_window(finding: Finding) -> Finding:
    """The finding as the window says it; one that names nothing typed stays."""
    words = WINDOW_WORDS.get(finding.code, WindowWords())
    place = f"{words.control}: " if words.control else ""
    names_typed = _TYPED.search(finding.how_to_fix) is not None
    return replace(
        finding,
        what=_AT_PLACE.sub(place, finding.what),
        how_to_fix=words.fix if names_typed and words.fix else finding.how_to_fix,
        where=words.control if _PLACE.fullmatch(finding.where) else finding.where,
    )
