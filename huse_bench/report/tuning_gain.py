"""What tuning gave on the test split, in a line for each score."""

from __future__ import annotations

from huse_bench.report.words import listed
from huse_bench.results.gains import MAIN_SCORES, TunedGain, tuned_gains
from huse_bench.results.tables import Results

__all__ = ["gain_notes"]


def gain_notes(results: Results) -> list[str]:
    """The tuned methods beside their defaults, the same for all.

    Args:
        results: the runs of the tables.

    Returns:
        A line for each score, and one on what lacks; empty where no tuned method has runs at its defaults.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    gains = tuned_gains(results)
    if not gains:
        return []
    lines = []
    for score in MAIN_SCORES:
        of_score = [gain for gain in gains if gain.score == score]
        if of_score:
            each = ", ".join(f"{gain.label} {_text(gain)}" for gain in of_score)
            lines.append(f"Tuned less default on the test split, {score}: {each}.")
    told = {gain.label for gain in gains}
    lacking = [row.label for row in results.rows if row.tunings and row.label not in told]
    if lacking:
        lines.append(f"No runs at the defaults: {listed(lacking)} (huse-bench run --params FILE --with-defaults).")
    return lines


def _text(gain: TunedGain) -> str:
    difference = f"{gain.tuned - gain.default:+.3f}"
    return difference if gain.low is None else f"{difference} ({gain.low:+.3f} to {gain.high:+.3f})"
