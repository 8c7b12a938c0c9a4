"""From the library's folders to classes: which folders are left out, and which are too small to be classes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

__all__ = ["CLASS_NAMES", "LEFT_OUT", "NO_CLASSES", "class_name", "fold", "folder_of", "home"]

#: Folders that are left out with all below them, and why.
LEFT_OUT: Mapping[str, str] = {
    "shapes": "arrows, balloons and stars: forms, most of them drawn by a program in long series, and no things",
    "special": "gradients, patterns and templates: no things",
    "unsorted": "says nothing",
    "logos": "marks of organisations, each of which is known or not",
    "buttons": "parts of programs' windows",
    "computer/buttons": "parts of programs' windows",
    "computer/icons": "signs for what programs do, named by the theme they are of; classes are the themes' folders",
    "recreation/games/cards": "four packs of cards, named 'card' all of them",
    "signs_and_symbols/led": "one lamp in 56 colours and forms",
    "transportation/aiga-symbols": "links to the map symbols of one designer: names a collection",
    "buildings/furniture": "no buildings, and too few to be a class",
    "people/clothing/pantyhose": "signs on packages",
}

#: Folders that are no classes, though some below them are, and why.
NO_CLASSES: Mapping[str, str] = {
    "transportation": "road signs and vehicles that nobody has put into the folders for these",
    "recreation": "what is left over: a television, a tree, a sledge",
}

#: What the folders that are classes are called, where it is not the name of the folder.
CLASS_NAMES: Mapping[str, str] = {
    "animals": "other animals",
    "computer": "computers",
    "computer/hardware": "computer hardware",
    "food": "other food",
    "people/bodypart": "body parts",
    "plants": "other plants",
    "recreation/holiday": "holidays",
    "recreation/party": "parties",
    "signs_and_symbols/flags": "other flags",
    "signs_and_symbols/flags/africa": "flags of Africa",
    "signs_and_symbols/flags/america": "flags of America",
    "signs_and_symbols/flags/asia": "flags of Asia",
    "signs_and_symbols/flags/europe": "flags of Europe",
    "signs_and_symbols/flags/historic": "historic flags",
    "signs_and_symbols/flags/oceania": "flags of Oceania",
    "transportation/roadsigns": "road signs",
}

# Astronomy is filed under two sciences.
_MOVED = {"science/astronomy": "geography/astronomy"}
_DEPTH = 3


def folder_of(path: str) -> str | None:
    """The folder of a drawing, at most three deep.

    Args:
        path: of its file, from the top of the library.

    Returns:
        The folder; None if it is left out.
    """
    parts = path.split("/")[:-1]
    if any("/".join(parts[:depth]) in LEFT_OUT for depth in range(1, len(parts) + 1)):
        return None
    folder = "/".join(parts[:_DEPTH])
    return _MOVED.get(folder, folder)


def class_name(folder: str) -> str:
    """What the class of a folder is called."""
    return CLASS_NAMES.get(folder, folder.rpartition("/")[2].replace("_", " "))


def home(folders: Collection[str]) -> str | None:
    """The one folder of a drawing that has copies in several.

    Args:
        folders: where its copies are.

    Returns:
        The deepest, if all others are above it; else None: it has no one class.
    """
    deepest = max(folders, key=lambda folder: (folder.count("/"), folder))
    return deepest if all(f"{deepest}/".startswith(f"{folder}/") for folder in folders) else None


def fold(folders: Mapping[str, str], groups: Mapping[str, str], least: int, least_groups: int) -> dict[str, str]:
    """Move the drawings of small folders to the folders above, the deepest first.

    Args:
        folders: by drawing.
        groups: by drawing.
        least: drawings that a class has at least.
        least_groups: groups that a class has at least.

    Returns:
        The class of each drawing, a folder; drawings of a folder at the top that is too small, or no class, are left
        out.
    """
    classes = dict(folders)
    while True:
        sizes = Counter(classes.values())
        found = defaultdict(set)
        for drawing, folder in classes.items():
            found[folder].add(groups[drawing])
        small = {folder for folder in sizes if sizes[folder] < least or len(found[folder]) < least_groups}
        if not small:
            return {drawing: folder for drawing, folder in classes.items() if folder not in NO_CLASSES}
        depth = max(folder.count("/") for folder in small)
        moved = {folder for folder in small if folder.count("/") == depth}
        classes = {
            drawing: folder.rpartition("/")[0] if folder in moved else folder
            for drawing, folder in classes.items()
            if depth or folder not in moved
        }
