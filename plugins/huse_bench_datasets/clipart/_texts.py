"""The text of a drawing: its name, description and keywords, without what says only how the library files it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from huse_bench_datasets._shipped.near import normalised
from huse_bench_datasets.clipart._metadata import Metadata

__all__ = ["write_texts"]

# A title or description that so many drawings have is that of a collection, such as "SVG Road Signs".
_COLLECTION = 5
# A keyword that this share of a folder's drawings has is how they came into it: "animal", "flag".
_FILING = 0.2

# What titles have beside the name: who drew it, and where to write to.
_NO_NAME = re.compile(r"Clipart by [^-]* - |\(?\s*(email:)?\s*\S+@\S+")
# Traces of the program that made the files, addresses, and the drawer for what nobody had sorted.
_NO_WORD = re.compile(r"\W*(hash)?\W*(\(?0x\w+\)?)?|\d+|unsorted|.*(@|://|HASH).*", re.IGNORECASE)


def write_texts(metadata: Mapping[str, Metadata], folders: Mapping[str, str]) -> dict[str, str]:
    """Write the text of each drawing: ``name. description. keyword, keyword``.

    The name is the title, or the words of the file's name where the title is a collection's. Left out are descriptions
    of collections, descriptions and keywords that repeat what was said, and keywords that file a drawing: those that a
    fifth of a folder's drawings have, and the names of folders.

    Args:
        metadata: by path.
        folders: the folder of each drawing.

    Returns:
        Texts by path, of those that have a name.
    """
    names = _names(metadata)
    descriptions = Counter(said.description for said in metadata.values())
    filing = _filing(metadata, folders)
    texts = {}
    for path, said in metadata.items():
        if not re.search(r"[^\W\d_]{2}", names[path]):
            continue
        parts, told = [names[path]], f" {normalised(names[path])} "
        if descriptions[said.description] < _COLLECTION and _is_new(said.description, told):
            parts.append(said.description.removesuffix("."))
            told += f"{normalised(said.description)} "
        keywords = [
            word.replace("_", " ")
            for word in said.keywords
            if _stem(word) not in filing and word != said.author and _is_new(word, told)
        ]
        texts[path] = ". ".join([*parts, ", ".join(keywords)] if keywords else parts)
    return texts


def _is_new(words: str, told: str) -> bool:
    """Whether words say anything that was not told."""
    return not _NO_WORD.fullmatch(words) and f" {normalised(words)} " not in told


def _names(metadata: Mapping[str, Metadata]) -> dict[str, str]:
    files = {path: _file_words(path, said.author) for path, said in metadata.items()}
    titled: dict[str, list[str]] = {}
    for path, said in metadata.items():
        titled.setdefault(said.title, []).append(path)
    names: dict[str, str] = {}
    for title, paths in titled.items():
        words = [files[path] for path in paths]
        # Drawings of a series have one title and, but for numbers, one file name; those of a collection several.
        if title and (len(paths) < _COLLECTION or len({tuple(of_file) for of_file in words}) == 1):
            name = _NO_NAME.sub("", title).replace("_", " ")
            names |= dict.fromkeys(paths, " ".join(name.split()))
            continue
        # All file names of a collection may start with its own: aiga_bus, aiga_toilet.
        same = title and all(len(of_file) > 1 and of_file[0] == words[0][0] for of_file in words)
        names |= {path: " ".join(of_file[1:] if same else of_file) for path, of_file in zip(paths, words, strict=True)}
    return names


def _file_words(path: str, author: str) -> list[str]:
    """The words of a file's name, without numbers and the author's name, which files have cut after some letters."""
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", PurePosixPath(path).stem)
    words = [word.casefold() for word in re.findall(r"[^\W\d_]+", stem)]
    of_author = normalised(author).split()
    return [word for word in words if not any(name.startswith(word) for name in of_author)] or words


def _filing(metadata: Mapping[str, Metadata], folders: Mapping[str, str]) -> set[str]:
    sizes = Counter(folders.values())
    held = Counter((folders[path], _stem(word)) for path, said in metadata.items() for word in said.keywords)
    filing = {word for (folder, word), count in held.items() if count >= max(2, _FILING * sizes[folder])}
    return filing | {_stem(part) for folder in sizes for part in folder.split("/")}


def _stem(word: str) -> str:
    """A word in the singular or plural, as one."""
    return normalised(word).removesuffix("s")
