"""The card of what is pushed: the artefact's own, which says so where proof lacks."""

from studio.storage.push_files import CARD, Proof, Pushable

_UNPROVEN = {
    Proof.DIFFERS: "This model **doesn’t say** what was trained, as a comparison "
    "found; the certificate among its files tells how far it is apart.",
    Proof.MISSING: "Nobody has compared this model with what was trained: it has no "
    "certificate.",
}
_SAYS_SO = ("**doesn’t say** what was trained", _UNPROVEN[Proof.MISSING])
_FRONT = "---\n"


def card_to_push(artefact: Pushable) -> bytes | None:
    """The card in place of the artefact's own; None where that one serves."""
    said = _UNPROVEN.get(artefact.proof)
    file = artefact.folder / CARD
    card = file.read_text(encoding="utf-8") if file.is_file() else ""
    if said is None or any(words in card for words in _SAYS_SO):
        return None
    front, body = _parted(card)
    title, _, rest = body.lstrip().partition("\n")
    if not title.startswith("# "):
        title, rest = f"# {artefact.run or 'Model'}", body
    told = f"{title}\n\n## Certificate\n\n{said}\n\n{rest.strip()}"
    return f"{front}{told.rstrip()}\n".encode()


def _parted(card: str) -> tuple[str, str]:
    """A card's front matter, which programs read, and the rest."""
    end = card.find(f"\n{_FRONT}", len(_FRONT)) if card.startswith(_FRONT) else -1
    cut = end + len(_FRONT) + 1 if end > 0 else 0
    return card[:cut] + ("\n" if cut else ""), card[cut:]
