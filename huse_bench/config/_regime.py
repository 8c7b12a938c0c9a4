"""What is done to the items of a dataset before anything is trained."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

__all__ = ["NO_REGIME", "RegimeConfig"]


class RegimeConfig(BaseModel):
    """What is done to the items of a dataset before anything is trained: a setting that all methods meet alike.

    Without any of it the data are as they come; ``docs/regimes.md`` says how each is drawn.

    Attributes:
        label_noise: share of the train split's groups whose label is replaced by another class's.
        folds: parts that the classes are dealt into where one is held out.
        held_out: which fold, from 1, has the classes of the test split; None where each split has all classes.
        shots: groups of each class that the train split keeps; None for all.
        seed: of the draws, and of nothing else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    label_noise: float = Field(default=0.0, ge=0, lt=1)
    folds: int = Field(default=5, ge=3)
    held_out: int | None = Field(default=None, ge=1, validate_default=True)
    shots: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)

    @field_validator("held_out")
    @classmethod
    def _is_a_fold(cls, held_out: int | None, info: ValidationInfo) -> int | None:
        # Not there where it is wrong itself.
        folds = info.data.get("folds")
        if folds is None:
            return held_out
        if held_out is not None and held_out > folds:
            raise ValueError(f"the folds are 1 to {folds}")
        if held_out is None and folds != cls.model_fields["folds"].default:
            raise ValueError(f"say which of the {folds} folds to hold out, or leave folds out")
        return held_out

    @field_validator("seed")
    @classmethod
    def _draws_something(cls, seed: int, info: ValidationInfo) -> int:
        if seed and not any(info.data.get(name, True) for name in ("label_noise", "held_out", "shots")):
            raise ValueError("there is nothing to draw without label_noise, held_out or shots")
        return seed

    @property
    def is_any(self) -> bool:
        """Whether the data are other than they come."""
        return bool(self.label_noise or self.held_out or self.shots)

    @property
    def words(self) -> tuple[str, ...]:
        """What titles say of it, such as ``"40 % of training labels wrong"``; nothing without a regime."""
        said = {
            f"held-out classes (fold {self.held_out} of {self.folds})": self.held_out,
            f"{self.shots} training {'group' if self.shots == 1 else 'groups'} of each class": self.shots,
            f"{100 * self.label_noise:g} % of training labels wrong": self.label_noise,
            f"drawn with seed {self.seed}": self.seed,
        }
        return tuple(words for words, there in said.items() if there)

    @property
    def stem(self) -> str:
        """What a folder's name says of it, such as ``"noise-0.4"``; empty without a regime."""
        said = {
            f"held-out-{self.held_out}-of-{self.folds}": self.held_out,
            f"shots-{self.shots}": self.shots,
            f"noise-{self.label_noise:g}": self.label_noise,
            f"draw-{self.seed}": self.seed,
        }
        return "-".join(words for words, there in said.items() if there)


#: The data as they come.
NO_REGIME = RegimeConfig()
