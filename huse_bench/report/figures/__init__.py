"""Figures of results: pure functions of the records and of what lies beside them, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

from huse_bench.errors import RecordError, UsageError
from huse_bench.hints import did_you_mean
from huse_bench.report.figures.class_map import class_map
from huse_bench.report.figures.confusions import confusions
from huse_bench.report.figures.cost import cost
from huse_bench.report.figures.curves import curves
from huse_bench.report.figures.forest import forest, precision_metric
from huse_bench.report.figures.learning import losses, validation
from huse_bench.report.figures.model import Drawn, LeftOut, NotHeldError
from huse_bench.report.figures.per_class import per_class
from huse_bench.report.figures.profile import profile
from huse_bench.report.figures.semantics import pairs, semantics_summary
from huse_bench.report.figures.style import require_matplotlib, styled
from huse_bench.report.figures.tuning import tuned_beside_default, tuning_curves
from huse_bench.results.summary import Summary
from huse_bench.results.tables import Results

__all__ = ["FIGURES", "OVER", "Drawn", "LeftOut", "draw_all", "draw_over", "drawn"]

#: Draws a figure of a name and a title.
_Draw = Callable[[Results, str, str], Drawn]


def _precision(results: Results, name: str, title: str) -> Drawn:
    return forest(results, name, title, precision_metric(results))


#: The figures by name, in their order on a page: title, and what draws them.
FIGURES: Mapping[str, tuple[str, _Draw]] = {
    "forest-recall": ("R@1 of the methods", partial(forest, metric="R@1")),
    "forest-precision": ("Hierarchical precision of the methods", _precision),
    "recall-curves": ("R@K over K", partial(curves, kind="R")),
    "precision-curves": ("HP@K over K", partial(curves, kind="HP")),
    "class-recall": ("R@1 by class", partial(per_class, metric="R@1")),
    "class-accuracy": ("Accuracy by class", partial(per_class, metric="accuracy")),
    "confusions": ("The most frequent confusions", confusions),
    "semantics": ("Does the space keep the semantics?", semantics_summary),
    "semantics-pairs": ("Learned distances by distance in the class graph", pairs),
    "class-map": ("Maps of the class centroids", class_map),
    "learning-validation": ("R@1 on the validation split during the training", validation),
    "learning-losses": ("Losses during the training", losses),
    "cost": ("Seconds of training against quality", cost),
    "tuning": ("The search for hyper-parameters", tuning_curves),
    "tuned": ("Defaults beside tuned hyper-parameters", tuned_beside_default),
}

#: The figures of several data sets together, likewise.
OVER: Mapping[str, tuple[str, Callable[[Summary, str, str], Drawn]]] = {
    "profile": ("Performance profiles over all data sets", profile),
}


def draw_over(summary: Summary, only: Collection[str] | None = None) -> list[Drawn]:
    """Draw the figures of several data sets together.

    Args:
        summary: the methods over the data sets.
        only: names of the figures to draw; None for all.

    Returns:
        The figures in the order of :data:`OVER`.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    require_matplotlib()
    with styled():
        return [draw(summary, name, title) for name, (title, draw) in OVER.items() if only is None or name in only]


def draw_all(results: Results, only: Collection[str] | None = None) -> list[Drawn | LeftOut]:
    """Draw the figures, each leaving itself out where the results do not hold what it needs.

    Args:
        results: the runs.
        only: names of the figures to draw; None for all.

    Returns:
        The figures, or the reasons why there are none, in the order of :data:`FIGURES`.

    Raises:
        UsageError: if a name is unknown.
        MissingExtraError: if matplotlib is not installed.
    """
    for name in only or ():
        if name not in FIGURES:
            raise UsageError(
                f"there is no figure {name!r}."
                + (did_you_mean(name, list(FIGURES)) or f" There are {', '.join(FIGURES)}.")
            )
    require_matplotlib()
    done: list[Drawn | LeftOut] = []
    with styled():
        for name, (title, draw) in FIGURES.items():
            if only is not None and name not in only:
                continue
            try:
                done.append(draw(results, name, title))
            except (NotHeldError, RecordError) as error:
                done.append(LeftOut(name, title, str(error)))
    return done


def drawn(results: Results, only: Collection[str] | None = None) -> list[Drawn]:
    """The figures that the results give, see :func:`draw_all`.

    Args:
        results: the runs.
        only: names of the figures to draw; None for all.

    Returns:
        The figures in the order of :data:`FIGURES`.

    Raises:
        UsageError: if a name is unknown.
        MissingExtraError: if matplotlib is not installed.
    """
    return [figure for figure in draw_all(results, only) if isinstance(figure, Drawn)]
