"""Sample answers side by side: what the model said before, and what it says now."""

from dataclasses import dataclass

from studio.domain.run import RunSnapshot


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and the step it was given after; step 0 is before training."""

    step: int
    text: str

    @property
    def when(self) -> str:
        """When it was given, in words."""
        return f"after step {self.step:,}" if self.step else "before training"


@dataclass(frozen=True, slots=True)
class PromptAnswers:
    """A prompt, with its answers from the first to the newest."""

    prompt: str
    answers: tuple[Answer, ...]

    @property
    def before(self) -> Answer | None:
        """The answer before training, when one was asked for."""
        first = self.answers[0] if self.answers else None
        return first if first is not None and first.step == 0 else None

    @property
    def now(self) -> Answer | None:
        """The newest answer of the trained model; None before the first."""
        last = self.answers[-1] if self.answers else None
        return last if last is not None and last.step > 0 else None


def prompts_of(snapshot: RunSnapshot) -> tuple[PromptAnswers, ...]:
    """The run's prompts in the order they were first asked.

    Answers behind the step whose weights were saved aren't those of the result.
    """
    by_prompt: dict[str, list[Answer]] = {}
    last = snapshot.saved_step or snapshot.step
    for sample in (each for each in snapshot.samples if each.step <= last):
        answers = by_prompt.setdefault(sample.prompt, [])
        answers.append(Answer(sample.step, sample.text))
    return tuple(PromptAnswers(p, tuple(a)) for p, a in by_prompt.items())
