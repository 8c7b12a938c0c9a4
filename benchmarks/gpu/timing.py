"""Time and memory of the pairwise losses beside plain torch and torch.compile, each after its parity check."""

import warnings
from dataclasses import replace

import torch

from benchmarks import losses
from benchmarks.gpu import card
from benchmarks.measuring import OURS, Effort, ParityError, measure

_NAMES = ("graph_loss_and", "graph_loss_none", *losses.TRIPLETS)
_SIZES = ((4096, 512), (2048, 512), (8192, 64), (65_536, 512))
# Plain torch holds matrices of all pairs.
_TOO_LARGE = 20_000
_PRECISIONS = ("tf32", "fp16")
_EFFORT = Effort(seconds=0.5, least=3, most=15)


def check(notes):
    # torch.compile advises to turn TF32 on.
    warnings.simplefilter("ignore")
    plan = [(name, rows, dim, ()) for rows, dim in _SIZES for name in _NAMES]
    # Compiling takes ten seconds and more each, so these come last, as long as there is time.
    plan += [(name, *_SIZES[0], ("torch.compile",)) for name in _NAMES if name != "graph_loss_none"]
    plan += [("graph_loss_and", 8192, 64, ("torch.compile",))]
    if notes.dry_run:
        plan = [("graph_loss_and", 96, 8, ()), ("cosine_embedding", 96, 8, ())]
    peaks = next(iter(notes.of("facts", "peaks, a second")), None)
    for name, rows, dim, peers in plan:
        what = " ".join([name, f"{rows} x {dim}", *peers])
        if notes.late:
            notes.fail(f"{what}: no time was left")
            continue
        with notes.guarded(what):
            precisions = () if peers or notes.dry_run else _PRECISIONS
            case = losses.case(name, rows, dim, peers, notes.device, precisions)
            _time(notes, replace(case, bound=None), peaks)
        if not notes.dry_run:
            torch.cuda.empty_cache()


def _time(notes, case, peaks):
    if case.rows > _TOO_LARGE:
        # Semi-hard triplets take a second there, whatever the precision of their products.
        others = () if case.operation == "semihard_triplet" else _PRECISIONS
        case = case.only(OURS, *(f"{OURS} {precision}" for precision in others))
    measurement = None
    while measurement is None:
        try:
            measurement = measure(case, _EFFORT)
        except ParityError as error:
            notes.fail(str(error))
            if error.competitor == OURS:
                return
            # Its time is refused; the others' are not.
            case = case.only(*(entry.name for entry in case.competitors if entry.name != error.competitor))
    memory = {} if notes.dry_run else card.memory(case)
    shares = {} if peaks is None else card.shares(measurement, case, peaks)
    for entry in measurement.entries:
        words = (entry.name.removeprefix(OURS).strip() or "fp32") if entry.name.startswith(OURS) else ""
        notes.add(
            "value and gradient",
            operation=case.operation,
            data=f"{case.rows} x {case.dim}",
            by=entry.name,
            ms=entry.total.median * 1e3,
            low=entry.total.low * 1e3,
            high=entry.total.high * 1e3,
            times_ours=None if entry.ratio is None else entry.ratio.median,
            difference=entry.difference,
            mib=memory.get(entry.name),
            needed=case.bound_share,
            **shares.get(words, {}),
        )
