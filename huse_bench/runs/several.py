"""One command on several data sets, or on all folds of held-out classes: the configuration of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from huse_bench.components import Dataset
from huse_bench.config import RunConfig
from huse_bench.discovery import components, find, load
from huse_bench.errors import ConfigError

__all__ = ["ALL", "FOLD", "PLACE", "dataset_names", "expanded", "of_dataset"]

#: Stands for every data set that its package carries.
ALL = "all"

#: Stands in a path for the name of the data set.
PLACE = "{dataset}"

#: Stands in a path for the number of the fold that is held out.
FOLD = "{fold}"


def dataset_names(text: str) -> list[str]:
    """The data sets that a configuration names.

    Args:
        text: names with commas between; ``all`` stands for every installed one that is :attr:`Dataset.shipped`.

    Returns:
        Their names, in the order given.

    Raises:
        ConfigError: if there are none, or one is named twice.
        UnknownComponentError, PluginConflictError: if one of several cannot be had.
        PluginLoadError: if an installed one cannot be asked whether it is shipped.
    """
    asked = [name for part in text.split(",") if (name := part.strip())]
    if not asked:
        raise ConfigError(
            f"dataset = {text!r} names no data set; name some, such as emoji, see huse-bench plugins list"
        )
    if asked == [text] and text != ALL:
        return asked
    names: dict[tuple[str, str], str] = {}
    for name in asked:
        for each in _shipped() if name == ALL else [name]:
            component = find("dataset", each)
            key = (component.distribution, component.name)
            if key in names and name != ALL:
                raise ConfigError(f"dataset = {text!r} names the data set {each!r} twice")
            names.setdefault(key, each)
    return list(names.values())


def _shipped() -> Sequence[str]:
    available = [component.name for component in components("dataset") if component.status == "available"]
    shipped = [
        name for name in available if issubclass(of_class := load("dataset", name), Dataset) and of_class.shipped
    ]
    if not shipped:
        raise ConfigError(f"dataset = {ALL!r}: no installed data set comes whole with its package; name some")
    return shipped


def expanded(config: RunConfig) -> list[tuple[str, RunConfig]]:
    """A configuration as one for each of its data sets, and of these for each fold where all are asked for.

    Args:
        config: of a command. ``{dataset}`` in its paths stands for the name of the data set and ``{fold}`` for the
            number of the fold; a results folder without what would differ is the folder of their folders.

    Returns:
        What to call each, and its configuration, in their order. They are alike in all else.

    Raises:
        ConfigError: if no data set is named or one twice, or a path is of one data set or fold and there are several.
        UnknownComponentError, PluginConflictError: if one of several cannot be had.
    """
    names = dataset_names(config.dataset)
    if len(names) > 1 and config.data is not None:
        raise ConfigError(
            f"data = {str(config.data)!r} ({config.origin('data')}) is a copy of one data set, and there are "
            f"{len(names)}: {', '.join(names)}. Run the one that needs it by itself"
        )
    found = []
    for name in names:
        of_name = config.model_copy(update={"dataset": name})
        for each in _folds(of_name) if config.every_fold else [of_name]:
            title = each.folder_name if config.every_fold else name
            found.append((title, _one(each, several=len(names) > 1, folds=config.every_fold)))
    return found


def _folds(config: RunConfig) -> Iterator[RunConfig]:
    for fold in range(1, config.regime.folds + 1):
        regime = config.regime.model_copy(update={"held_out": fold})
        yield config.model_copy(update={"regime": regime, "every_fold": False})


def _one(config: RunConfig, *, several: bool, folds: bool) -> RunConfig:
    results, params = config.results, config.params
    differing = [*([PLACE] if several else []), *([FOLD] if folds else [])]
    if results is not None and any(mark not in str(results) for mark in differing):
        results /= config.folder_name
    if params is not None:
        what = f"params ({config.origin('params')})"
        if several:
            of_dataset(params, config.dataset, what)
        if folds and FOLD not in str(params):
            raise ConfigError(
                f"{what} = {str(params)!r} is a file of one fold, and there are {config.regime.folds}, whose "
                f"classes to train on differ; write {FOLD} where their numbers do, such as "
                f"results/{config.dataset}-held-out-{FOLD}-of-{config.regime.folds}/tuned.toml"
            )
    paths = {"results": results, "params": params}
    fold = str(config.regime.held_out)
    changes = {
        key: None if path is None else Path(str(_placed(path, config.dataset)).replace(FOLD, fold))
        for key, path in paths.items()
    }
    return config.model_copy(update=changes)


def of_dataset(path: Path, name: str, what: str) -> Path:
    """A path of one of several data sets.

    Args:
        path: with ``{dataset}`` in it.
        name: of the data set.
        what: what messages call the path.

    Returns:
        The path with the name in that place.

    Raises:
        ConfigError: if it would be the same for all of them.
    """
    if PLACE not in str(path):
        raise ConfigError(
            f"{what} = {str(path)!r} is a file of one data set, and there are several; write {PLACE} where their "
            f"names differ, such as results/{PLACE}/tuned.toml"
        )
    return _placed(path, name)


def _placed(path: Path, name: str) -> Path:
    return Path(str(path).replace(PLACE, name))
