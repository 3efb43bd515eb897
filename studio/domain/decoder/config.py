"""Reading config.json: numbers that must be there, and those that have a default."""

from collections.abc import Mapping
from dataclasses import dataclass

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, error

_MOST = 1 << 31


@dataclass(frozen=True, slots=True)
class Config:
    """A decoded config.json, of the text part if there are several."""

    values: Mapping[str, object]

    @classmethod
    def of(cls, config: Mapping[str, object]) -> "Config":
        """The part that describes the language model."""
        nested = config.get("text_config")
        if isinstance(nested, Mapping):
            outer = {k: v for k, v in config.items() if k == "tie_word_embeddings"}
            return cls(outer | dict(nested))
        return cls(config)

    @property
    def family(self) -> str:
        """``model_type``; empty when there is none."""
        return str(self.values.get("model_type") or "")

    def whole(self, *keys: str, default: int = 0) -> int:
        """A positive whole number below 2^31, by the first of its names that is there.

        Raises:
            StudioError: It is missing and has no default, or is no such number.
        """
        found = next((self.values[k] for k in keys if self.values.get(k)), default)
        if (
            not isinstance(found, int)
            or isinstance(found, bool)
            or not 0 < found < _MOST
        ):
            raise StudioError(config_refused(f"gives no usable “{keys[0]}”"))
        return found

    def share(self, *keys: str, default: float) -> float:
        """A number from 0 to 1, by the first of its names that is there and is one."""
        rope = self.values.get("rope_parameters") or self.values.get("rope_scaling")
        places = [self.values, rope if isinstance(rope, Mapping) else {}]
        for place in places:
            for key in keys:
                found = place.get(key)
                if isinstance(found, bool) or not isinstance(found, int | float):
                    continue
                if 0 <= found <= 1:
                    return float(found)
        return default

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Whether something holds."""
        found = self.values.get(key)
        return default if found is None else bool(found)

    def window(self, default: int = 0) -> int:
        """The sliding window, in tokens; 0 for none."""
        found = self.values.get("sliding_window", default)
        return found if isinstance(found, int) and not isinstance(found, bool) else 0


def config_refused(what: str) -> Finding:
    """That no model can be made of a config, for what it says."""
    return error(
        "model.config",
        f"The model’s config {what}.",
        fix="Choose another model, or fetch this one again.",
        where="config.json",
    )
