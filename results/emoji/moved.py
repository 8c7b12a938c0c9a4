"""What moved the numbers of the tables: the same embeddings counted by both protocols and both class trees.

    python results/emoji/moved.py OLD NEW

OLD is a results folder with the runs of before (results/emoji/tuned of an earlier checkout), NEW one with runs that
kept their embeddings (``--save-embeddings``).
All rankings are made here, by numpy alone, so that the numbers of the new records are checked on the way.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from safetensors import safe_open

import huse_bench as hb

DIRECTIONS = ("i2i", "i2t", "t2i", "t2t")
RECALL, PRECISION = (1, 5, 10), (2, 5, 10)
TREES = {name: hb.load("dataset", "emoji")(taxonomy=name).load().taxonomy for name in ("unicode", "meaning")}
SETS = {(name, k): tree.correct_sets(k) for name, tree in TREES.items() for k in PRECISION}


def counted(path: Path) -> dict[tuple[str, str], dict[str, float]]:
    """R@K and HP@K of a run's test embeddings by protocol and tree, in all directions."""
    with safe_open(path, "numpy") as file:
        rows = {side: file.get_tensor(f"test.{side}").astype(np.float64) for side in ("image", "text")}
        labels = file.get_tensor("test.labels")
        ids = json.loads(file.metadata()["test.ids"])
    groups = np.unique([item.split("/")[1] for item in ids], return_inverse=True)[1]
    own, same_group = np.eye(len(ids), dtype=bool), groups[:, None] == groups
    numbers: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for direction in DIRECTIONS:
        queries, gallery = (rows["image" if letter == "i" else "text"] for letter in (direction[0], direction[2]))
        in_modal = direction[0] == direction[2]
        for protocol, hidden in (("v1", own & in_modal), ("v2", same_group if in_modal else same_group & ~own)):
            order = np.argsort(-np.where(hidden, -np.inf, queries @ gallery.T), axis=1, kind="stable")[:, :10]
            found = labels[order]
            hits = found == labels[:, None]
            for tree in TREES:
                scores = numbers[protocol, tree]
                scores |= {f"{direction} R@{k}": float(hits[:, :k].any(axis=1).mean()) for k in RECALL}
                scores |= {
                    f"{direction} HP@{k}": float(SETS[tree, k][labels[:, None], found[:, :k]].mean()) for k in PRECISION
                }
    return numbers


def tables(folder: Path) -> dict[str, list[tuple[Path, dict[str, float]]]]:
    """The printed numbers of each finished run, by the method's title."""
    found = defaultdict(list)
    for path in sorted((folder / "runs").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["status"] == "finished" and not record["method"]["name"].startswith("control:"):
            numbers = {f"{d} {m}": v for d, scores in record["retrieval"].items() for m, v in scores.items()}
            found[record["method"]["title"]].append((path, numbers))
    return found


def mean(runs: list[dict[str, float]], column: str) -> float:
    """The mean of a column over runs."""
    return float(np.mean([run[column] for run in runs]))


def main(old: Path, new: Path) -> None:
    """Print, for each method and column: before, made again, by the new galleries, by the new tree."""
    before, after = tables(old), tables(new)
    names = [f"{d} {m}" for d in DIRECTIONS for m in (*(f"R@{k}" for k in RECALL), *(f"HP@{k}" for k in PRECISION))]
    worst = 0.0
    print("method,column,before,made again,new galleries,new tree")  # noqa: T201
    for title, runs in after.items():
        recounted = [counted(new / "embeddings" / path.with_suffix(".safetensors").name) for path, _ in runs]
        for column in names:
            steps = [
                mean([run[key] for run in recounted], column)
                for key in (("v1", "unicode"), ("v2", "unicode"), ("v2", "meaning"))
            ]
            printed = mean([numbers for _, numbers in runs], column)
            worst = max(worst, abs(printed - steps[-1]))
            known = mean([numbers for _, numbers in before[title]], column) if title in before else float("nan")
            print(",".join([title, column, *(f"{value:.4f}" for value in (known, *steps))]))  # noqa: T201
    print(f"largest difference from the records: {worst:.5f}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
