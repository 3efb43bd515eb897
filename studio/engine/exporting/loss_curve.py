"""A run's losses as a picture beside its card, by the standard library alone."""

import math
from collections.abc import Iterator, Mapping

from studio.engine.exporting.course import Course

_WIDTH, _HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 704, 36, 244
_MOST_POINTS = 300
# The window's colours of series 1 and 2, of text, of its muted kind and of lines.
_TRAINING, _HELD_OUT = "#0B6A66", "#B3326A"
_TEXT, _MUTED, _LINE = "#1C2024", "#5A5F65", "#E6E3DD"


def loss_curve(course: Course) -> str:
    """An SVG of both losses by step; empty where fewer than two were told."""
    training = _finite(course.losses)
    held_out = _finite(course.held_out)
    if max(len(training), len(held_out)) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    return "\n".join(_drawing(training, held_out)) + "\n"


def _drawing(
    training: Mapping[int, float], held_out: Mapping[int, float]
) -> Iterator[str]:
    frame = _Frame({**held_out, **training}, [*training.values(), *held_out.values()])
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="Inter, sans-serif" font-size="12" fill="{_TEXT}">'
    )
    yield "<title>Loss by step, in nats a token</title>"
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#FFFFFF"/>'
    yield from frame.grid()
    yield from _series(frame, _thinned(training), _TRAINING, "Training", _LEFT)
    yield from _series(frame, held_out, _HELD_OUT, "Held out", _LEFT + 110)
    yield _words(_RIGHT, 20, "nats a token", "end")
    yield "</svg>"


class _Frame:
    """Where a step and a loss lie in the picture."""

    def __init__(self, steps: Mapping[int, float], losses: list[float]) -> None:
        self.first, self.last = min(steps), max(*steps, min(steps) + 1)
        low, high = min(losses), max(losses)
        room = (high - low or abs(high) or 1.0) * 0.05
        self.low, self.high = low - room, high + room

    def x(self, step: float) -> float:
        share = (step - self.first) / (self.last - self.first)
        return _LEFT + share * (_RIGHT - _LEFT)

    def y(self, loss: float) -> float:
        share = (loss - self.low) / (self.high - self.low)
        return _BOTTOM - share * (_BOTTOM - _TOP)

    def grid(self) -> Iterator[str]:
        for tick in _ticks(self.low, self.high):
            y = self.y(tick)
            yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{_LINE}"/>'
            yield _words(_LEFT - 6, y + 4, f"{tick:g}", "end")
        yield _words(_LEFT, _BOTTOM + 20, f"step {self.first:,}", "start")
        yield _words(_RIGHT, _BOTTOM + 20, f"{self.last:,}", "end")


def _series(
    frame: _Frame, losses: Mapping[int, float], colour: str, name: str, at: int
) -> Iterator[str]:
    if not losses:
        return
    points = " ".join(
        f"{frame.x(step):.1f},{frame.y(loss):.1f}"
        for step, loss in sorted(losses.items())
    )
    look = f'stroke="{colour}" stroke-width="2"'
    yield f'<polyline points="{points}" fill="none" {look}/>'
    yield f'<path d="M{at} 16h24" {look}/>'
    yield f'<text x="{at + 30}" y="20">{name}</text>'


def _ticks(low: float, high: float) -> Iterator[float]:
    """Round figures between two, three to seven of them."""
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 5, 10), key=lambda each: abs(each * unit - rough)) * unit
    at = math.ceil(low / step)
    while at * step <= high:
        yield round(at * step, 10)
        at += 1


def _words(x: float, y: float, words: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{_MUTED}">{words}</text>'


def _thinned(losses: Mapping[int, float]) -> Mapping[int, float]:
    """At most so many points, the means of as many steps each; steps keep order."""
    steps = sorted(losses)
    size = -(-len(steps) // _MOST_POINTS)
    if size <= 1:
        return losses
    parts = [steps[at : at + size] for at in range(0, len(steps), size)]
    return {part[-1]: sum(losses[each] for each in part) / len(part) for part in parts}


def _finite(losses: Mapping[int, float]) -> dict[int, float]:
    return {step: loss for step, loss in losses.items() if math.isfinite(loss)}
