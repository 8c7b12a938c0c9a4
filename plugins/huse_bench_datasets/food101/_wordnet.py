"""The noun synsets of a WordNet 3.0 database, as far as the taxonomy's build needs them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from huse_bench import errors

__all__ = ["DATA_NOUN_SHA256", "Nouns", "Synset"]

#: SHA-256 of WordNet 3.0's ``data.noun``, as Debian's package wordnet-base 1:3.0 and Princeton's archive carry it.
DATA_NOUN_SHA256 = "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2"


@dataclass(frozen=True)
class Synset:
    """One synset.

    Attributes:
        lemmas: its words, with underscores for spaces.
        hypernyms: offsets of its direct hypernyms.
    """

    lemmas: tuple[str, ...]
    hypernyms: tuple[str, ...]


class Nouns:
    """The noun synsets by offset (``data.noun``, format as in the manual page wndb(5WN)).

    Args:
        synsets: by offset, eight digits.
    """

    def __init__(self, synsets: Mapping[str, Synset]) -> None:
        self._synsets = synsets

    @classmethod
    def read(cls, folder: Path) -> Nouns:
        """Read ``data.noun`` of a database folder.

        Args:
            folder: such as ``/usr/share/wordnet``.

        Raises:
            DataError: if the file cannot be read or is not that of WordNet 3.0.
        """
        path = folder / "data.noun"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise errors.DataError(
                f"cannot read {path}: {error.strerror}. Give the database folder of WordNet 3.0, "
                "such as /usr/share/wordnet of Debian's package wordnet-base"
            ) from error
        if hashlib.sha256(content).hexdigest() != DATA_NOUN_SHA256:
            raise errors.DataError(
                f"{path} is not that of WordNet 3.0: the taxonomy names synsets by their offsets, which differ between "
                "versions. Use Debian's package wordnet-base 1:3.0"
            )
        # The licence at the top is indented, and so are no synsets.
        lines = (line for line in content.decode("ascii").splitlines() if line[:1].isdigit())
        return cls(dict(_parsed(line) for line in lines))

    def synset(self, lemma: str, offset: str) -> Synset:
        """The synset at an offset.

        Args:
            lemma: one of its words.
            offset: eight digits.

        Raises:
            DataError: if there is none at the offset, or it has not the word.
        """
        if offset not in self._synsets:
            raise errors.DataError(f"WordNet has no noun synset {offset} ({lemma!r}): correct the outline")
        synset = self._synsets[offset]
        if lemma not in synset.lemmas:
            raise errors.DataError(f"synset {offset} has the words {', '.join(synset.lemmas)}, not {lemma!r}")
        return synset

    def first_lemma(self, offset: str) -> str:
        """The first word of the synset at an offset that another synset points to."""
        return self._synsets[offset].lemmas[0]

    def between(self, offset: str, ancestor: str) -> Sequence[str] | None:
        """What a shortest hypernym path leads over.

        Args:
            offset: where the path begins.
            ancestor: where it ends.

        Returns:
            The first words of the synsets between the two, or None where there is no path.
        """
        paths: list[tuple[str, ...]] = [(offset,)]
        for path in paths:
            for hypernym in self._synsets[path[-1]].hypernyms:
                if hypernym == ancestor:
                    return [self.first_lemma(step) for step in path[1:]]
                paths.append((*path, hypernym))
        return None


def _parsed(line: str) -> tuple[str, Synset]:
    fields = line.partition(" | ")[0].split()
    words = int(fields[3], 16)
    start = 4 + 2 * words
    pointers = [fields[start + 1 + 4 * index :][:4] for index in range(int(fields[start]))]
    hypernyms = tuple(target for symbol, target, part, _ in pointers if symbol in {"@", "@i"} and part == "n")
    return fields[0], Synset(tuple(fields[4:start:2]), hypernyms)
