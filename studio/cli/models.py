"""`snugtune models`: the model list, marked for one device."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from studio.cli import terminal
from studio.cli.devices import asked_device_aloud
from studio.domain.cards import CloudPrice
from studio.domain.errors import refusal
from studio.domain.hardware import TrainingDevice, gib
from studio.domain.recommend.marks import RECIPE_WORDS, Marking
from studio.domain.recommend.proposal import headroom_bytes
from studio.services.cards import cloud_price_of
from studio.services.model_marks import MarkedModel, marked
from studio.services.model_places import store
from studio.storage.models import ModelState

JSON_HELP = """With --json:

{"device": {"name", "kind", "total_bytes", "free_bytes", "cloud_price": {"usd_an_hour", "provider", "page", "read_on", "is_old"}}, "headroom_bytes", "recipe", "models": [...]}

Each model: {"name", "title", "hub_id", "licence", "gated", "context", "parameters", "vision_parameters", "is_here", "mark", "peak_bytes", "needed_bytes", "reason", "description"}

mark is "trains comfortably", "trains tightly" or "not here"; it, peak_bytes, needed_bytes and reason are null for a kind of model that the formula doesn't know. needed_bytes is what must be free for the run to go at all. recipe says in words which recipe the marks are for. cloud_price is null unless --gpu names a card that a price was read for; it is_old after a year."""  # noqa: E501 - the terminal wraps it

_HEADER = ("Model", "Weights", "Licence", "Peak GiB", "On this device")


def models(gpu: str, vram: float | None, *, json: bool) -> None:
    """Print the list with its marks.

    Args:
        gpu: A card's name, or nothing for the device that a run would use.
        vram: A card's memory in GiB, instead.
        json: Whether for programs.

    Raises:
        StudioError: Both are given, or no card is meant.
    """
    device = asked_device_aloud(_asked(gpu, vram))
    found = marked([*store().known(), *store().on_disk()], device)
    if json:
        terminal.say_json(_document(device, found))
        return
    kept = gib(headroom_bytes(device))
    free = gib(device.free_bytes)
    terminal.say(f"On {device.name} with {free} free, {kept} of it kept free.")
    terminal.say(f"Marked for {RECIPE_WORDS}.")
    rent = cloud_price_of(device)
    if rent is not None:
        terminal.say(f"Elsewhere it rents for {rent.words(_today())}.")
    terminal.say()
    terminal.say_table(_HEADER, [_row(model) for model in found])


def _asked(gpu: str, vram: float | None) -> str:
    if vram is None:
        return gpu
    if gpu:
        raise refusal(
            "card.twice",
            "Both a card and an amount of memory are named.",
            fix="Give --gpu or --vram.",
            where="--vram",
        )
    return f"{vram:g} GiB"


def _row(model: MarkedModel) -> tuple[str, ...]:
    place, marking = model.place, model.marking
    weights = f"{place.parameters / 1e9:.2f} B" if place.parameters else "-"
    licence = f"{place.licence or '-'}{', gated' if place.gated else ''}"
    here = "" if place.state is ModelState.MISSING else ", on this disk"
    if marking is None:
        return place.name, weights, licence, "-", f"not priced{here}"
    peak = f"{gib(marking.peak_bytes).removesuffix(' GiB'):>8}"
    return place.name, weights, licence, peak, f"{marking.mark.value}{here}"


def _document(
    device: TrainingDevice, found: Sequence[MarkedModel]
) -> dict[str, object]:
    return {
        "device": {
            "name": device.name,
            "kind": device.kind,
            "total_bytes": device.total_bytes,
            "free_bytes": device.free_bytes,
            "cloud_price": _price_document(cloud_price_of(device)),
        },
        "headroom_bytes": headroom_bytes(device),
        "recipe": RECIPE_WORDS,
        "models": [_model_document(model) for model in found],
    }


def _price_document(price: CloudPrice | None) -> dict[str, object] | None:
    if price is None:
        return None
    return {
        "usd_an_hour": price.usd_an_hour,
        "provider": price.provider,
        "page": price.page,
        "read_on": price.read_on.isoformat(),
        "is_old": price.is_old(_today()),
    }


def _today() -> date:
    return datetime.now(UTC).date()


def _model_document(model: MarkedModel) -> dict[str, object]:
    place = model.place
    return {
        "name": place.name,
        "title": place.title,
        "hub_id": place.hub_id,
        "licence": place.licence,
        "gated": place.gated,
        "context": place.context,
        "parameters": place.parameters,
        "vision_parameters": place.vision_parameters,
        "is_here": place.state is not ModelState.MISSING,
        "description": place.description,
        **_marking_document(model.marking),
    }


def _marking_document(marking: Marking | None) -> dict[str, object]:
    return {
        "mark": marking and marking.mark.value,
        "peak_bytes": marking and marking.peak_bytes,
        "needed_bytes": marking and marking.needed_bytes,
        "reason": marking and marking.reason,
    }
