"""The tables' numbers counted again from the scores of single queries, without huse-bench.

    python results/recount.py FOLDER [METHOD]

prints how far the records' numbers are from it, and for each column which methods are ahead of METHOD (huse, where none
is given) and by how much. FOLDER is a results folder, or a bundle's .zip file with one, such as
results/clipart/bundle.zip. ``z`` is the difference over its standard error, by groups of queries and by seeds: a test
of its own, simpler than that of the tables, to hold them against.
"""

import json
import sys
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

DIRECTIONS = ("i2i", "i2t", "t2i", "t2t")


def columns(runs: Path, record: dict) -> dict[str, np.ndarray]:
    """Scores (Q,) of a run's queries by column."""
    table = pq.read_table(runs / record["per_query"]).to_pydict()
    direction, items = np.array(table["direction"]), len(table["query"]) // 4
    found = {}
    for task in DIRECTIONS:
        here = direction == task
        order = np.argsort(np.array(table["query"])[here], kind="stable")
        first = np.array(table["first_hit"])[here][order]
        assert len(first) == items
        found |= {f"{task} R@{k}": (first > 0) & (first <= k) for k in (1, 5, 10)}
        found |= {f"{task} HP@{k}": np.array(table[f"hp@{k}"])[here][order] / k for k in (2, 5, 10)}
    predicted = pq.read_table(runs / record["predictions"]).to_pydict()
    label = np.array(predicted["label"])
    for head in ("image", "text", "fusion"):
        if (column := f"{head}_prediction") in predicted:
            found[f"{head} accuracy"] = np.array(predicted[column]) == label
    return {name: scores.astype(float) for name, scores in found.items()}


def recorded(record: dict, name: str) -> float:
    """What the record says."""
    task, metric = name.split()
    return record["classification"][task] if metric == "accuracy" else record["retrieval"][task][metric]


def z(one: np.ndarray, other: np.ndarray, groups: np.ndarray) -> float:
    """Difference of means of (S, Q) scores over its standard error: groups drawn, and seeds drawn."""
    difference = one.mean(0) - other.mean(0)
    sums = np.bincount(groups, difference - difference.mean())
    of_groups = len(sums) / (len(sums) - 1) * (sums**2).sum() / len(groups) ** 2
    of_seeds = sum(scores.mean(1).var(ddof=1) / len(scores) for scores in (one, other))
    return float(difference.mean() / np.sqrt(of_groups + of_seeds))


def say(line: str) -> None:
    """Print."""
    print(line)  # noqa: T201 - what the command says


def main(folder: Path, method: str) -> None:
    """Count and print."""
    scores, groups, worst = defaultdict(lambda: defaultdict(list)), None, 0.0
    for path in sorted((folder / "runs").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        name = record["method"]["name"]
        if record["status"] != "finished" or name.startswith("control:"):
            continue
        groups = np.unique(pq.read_table(folder / "runs" / record["predictions"])["group"], return_inverse=True)[1]
        for column, values in columns(folder / "runs", record).items():
            worst = max(worst, abs(values.mean() - recorded(record, column)))
            scores[column][name].append(values)
    assert groups is not None
    runs = {name: len(values) for name, values in next(iter(scores.values())).items()}
    say(f"{sum(runs.values())} runs of {len(runs)} methods, {len(groups)} items of {groups.max() + 1} groups")
    say(f"largest difference between a record and its queries: {worst:.1e}")
    for column, of_methods in scores.items():
        arrays = {name: np.stack(values) for name, values in of_methods.items()}
        if method not in arrays:
            continue
        own = arrays.pop(method)
        order = sorted(arrays, key=lambda name: -arrays[name].mean())
        ahead = [name for name in order if arrays[name].mean() > own.mean()]
        said = ", ".join(f"{n} {arrays[n].mean():.3f} (z {z(arrays[n], own, groups):+.1f})" for n in ahead[:4])
        behind = sum(z(own, values, groups) > 3 for values in arrays.values())
        say(
            f"{column:15} {method} {own.mean():.3f}, rank {len(ahead) + 1} of {len(arrays) + 1}, "
            f"{behind} behind by z > 3; ahead: {said or 'none'}"
        )


if __name__ == "__main__":
    given, method = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "huse"
    with tempfile.TemporaryDirectory() as unpacked:
        if given.suffix == ".zip":
            zipfile.ZipFile(given).extractall(unpacked)
            (given,) = Path(unpacked, "results").iterdir()
        main(given, method)
