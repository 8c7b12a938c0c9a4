"""Write weights.toml: HUSE with beta over alpha through six decades, in every reading of equation 10.

The weights of the classification and the graph loss add up to 1, and that of the gap is a half, so that only the ratio
of the first two changes; the size of all together is nothing to AdamW. The margin is the default.
"""

from pathlib import Path

READINGS = ("and", "or", "hinge", "none")


def variant(name: str, **parameters: object) -> str:
    """One table of the file, of a row's name and its hyper-parameters."""
    values = "\n".join(f"{parameter} = {value}" for parameter, value in parameters.items())
    return f'[methods."huse {name}"]\nbase = "huse"\ntitle = "{name}"\n{values}\n'


def main() -> None:
    """Write the file beside this one."""
    tables = ["# Made by weights.py, which says what is what.\n", "seeds = [0, 1, 2, 3, 4]\n"]
    tables.append(variant("beta 0", alpha=1.0, beta=0.0, gamma=0.5))
    for reading in READINGS:
        for power in range(-3, 4):
            ratio = 10.0**power
            weights = {"alpha": 1 / (1 + ratio), "beta": ratio / (1 + ratio), "gamma": 0.5}
            tables.append(variant(f"{reading} 1e{power}", **weights, relaxation=f'"{reading}"'))
    Path(__file__).with_suffix(".toml").write_text("\n".join(tables))


if __name__ == "__main__":
    main()
