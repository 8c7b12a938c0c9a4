"""Exact ranking beside a product and topk: four directions at two sizes, and some queries of a large gallery.

Screened, as it is by default, and by scores of all pairs, as where nothing may wait for the device: it is one ranking.
Whether the card multiplies as exactly as the bound of the products says is looked at first.
"""

from dataclasses import replace
from functools import partial

import torch
from torch.nn.functional import normalize

from benchmarks import ranking
from benchmarks.gpu import card
from benchmarks.measuring import Competitor, Effort, measure
from huse_bench import kernels
from huse_bench.kernels import cuda
from huse_bench.kernels.cuda._keys import BLOCK, Scores
from huse_bench.kernels.cuda._screening import Rounded, block_maxima, bound

# Rows, their dimension and noise; of less noise, more near ties.
_DATA = ((4096, 512, 1.0), (22_716, 512, 1.0), (22_716, 512, 0.05))
_GALLERY, _QUERIES, _CHUNK, _DIM = 1_000_000, 16_384, 1024, 512
_EFFORT = Effort(seconds=1, least=3, most=9)
_OURS_OF_ALL = "huse-bench, all scored"


def check(notes):
    for kind in ("random", "of one sign"):
        with notes.guarded(f"products of rows {kind}"):
            _products(notes, kind, (70, 40) if notes.dry_run else (4096, 512))
    if notes.dry_run:
        _interpreted(notes)
        return
    for rows, dim, noise in _DATA:
        data = f"{rows} x {dim}, noise {noise}"
        with notes.guarded(data):
            case = ranking.case(rows, dim, noise, (), "cuda")
            of_all = Competitor(_OURS_OF_ALL, partial(_four_directions, *case.competitors[1].run.args))
            case = replace(case, bound=None, competitors=[*case.competitors, of_all])
            if not _is_one_ranking(*case.competitors[1].run.args):
                notes.fail(f"{data}: another ranking where all pairs are scored")
            measurement, memory = measure(case, _EFFORT), card.memory(case)
            for entry in measurement.entries:
                cells = {"ms": entry.total.median * 1e3, "mib": memory[entry.name]}
                notes.add("four directions", data=data, by=entry.name, **cells)
    _search(notes)


def _search(notes):
    gallery = normalize(torch.randn(_GALLERY, _DIM, device="cuda"), dim=1)
    queries = gallery[:_QUERIES]
    before = torch.get_float32_matmul_precision()
    for name, dtype, precision in (
        ("huse-bench", torch.float32, "highest"),
        (_OURS_OF_ALL, torch.float32, "highest"),
        ("product and topk, fp32", torch.float32, "highest"),
        ("product and topk, tf32", torch.float32, "high"),
        ("product and topk, bf16", torch.bfloat16, "highest"),
    ):
        if notes.late:
            notes.fail(f"{name}: no time was left")
            continue
        with notes.guarded(name):
            torch.set_float32_matmul_precision(precision)
            some, all_rows = queries.to(dtype), gallery.to(dtype)
            work = {"huse-bench": _ours, _OURS_OF_ALL: _of_all}.get(name, _by_topk)
            seconds = card.seconds(lambda some=some, rows=all_rows, work=work: work(some, rows), Effort(1, 1, 2))
            notes.add(f"{_QUERIES} queries of {_GALLERY} rows", by=name, seconds=seconds)
    torch.set_float32_matmul_precision(before)


def _ours(queries, gallery):
    return kernels.top_k(queries, gallery, ranking.K)


def _of_all(queries, gallery):
    with kernels.unchecked():
        return _ours(queries, gallery)


def _by_topk(queries, gallery):
    return torch.cat([(some @ gallery.T).topk(ranking.K, dim=1).values for some in queries.split(_CHUNK)])


def _four_directions(image, text, lap):
    with kernels.unchecked():
        found = kernels.top_k_directions(image, text, ranking.K)
    lap("all")
    return {direction: values for direction, (values, _) in found.items()}


def _is_one_ranking(image, text):
    screened = kernels.top_k_directions(image, text, ranking.K)
    with kernels.unchecked():
        of_all = kernels.top_k_directions(image, text, ranking.K)
    return all(torch.equal(*pair) for name in screened for pair in zip(screened[name], of_all[name], strict=True))


def _products(notes, kind, shape):
    """How far products are from scores, as a share of the bound; the rows of one sign lose most to rounding."""
    make = torch.randn if kind == "random" else torch.rand
    rows, gallery = (make(shape, generator=torch.Generator().manual_seed(seed)).to(notes.device) for seed in (1, 2))
    sides = Rounded.of(rows), Rounded.of(gallery)
    everything = slice(0, shape[0])
    scores = Scores(rows, gallery, None, exclude_self=False)
    found, _ = block_maxima(scores, sides, everything, everything)
    exact = (rows.double() @ gallery.double().T) * (sides[0].scale * sides[1].scale)
    best = torch.stack([block.amax(dim=1) for block in exact.split(BLOCK, dim=1)], dim=1)
    share = float(((found - best).abs() / bound(*sides)[:, None]).max())
    notes.add("products that screen", data=f"{shape[0]} x {shape[1]}, {kind}", difference_of_bound=share)
    if not share <= 1:
        notes.fail(f"products of rows {kind} are {share:.1f} times as far from the scores as the bound says")


def _interpreted(notes):
    """The four directions by Triton's interpreter, as far from plain torch as rounding."""
    case = ranking.case(40, 8, 1.0, ())
    plain, ours = case.competitors
    image, text = ours.run.args
    found = {name: values for name, (values, _) in cuda.top_k_directions(image, text, ranking.K).items()}
    difference = case.difference(found, plain.run(lambda _phase: None))
    if not difference <= case.tolerance:
        notes.fail(f"the four directions differ by {difference:.1e}")
    notes.add("four directions", data="40 x 8", by="the interpreter", difference=difference)
