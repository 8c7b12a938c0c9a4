"""Exact ranking beside a product and topk: four directions at two sizes, and some queries of a large gallery."""

from dataclasses import replace

import torch
from torch.nn.functional import normalize

from benchmarks import ranking
from benchmarks.gpu import card
from benchmarks.measuring import Effort, measure
from huse_bench import kernels
from huse_bench.kernels import cuda

_SIZES = ((4096, 512), (22_716, 512))
_GALLERY, _QUERIES, _CHUNK, _DIM = 1_000_000, 16_384, 1024, 512
_EFFORT = Effort(seconds=2, least=3, most=9)


def check(notes):
    if notes.dry_run:
        _interpreted(notes)
        return
    for rows, dim in _SIZES:
        with notes.guarded(f"{rows} x {dim}"):
            case = replace(ranking.case(rows, dim, 1.0, (), "cuda"), bound=None)
            measurement, memory = measure(case, _EFFORT), card.memory(case)
            for entry in measurement.entries:
                cells = {"ms": entry.total.median * 1e3, "mib": memory[entry.name]}
                notes.add("four directions", data=f"{rows} x {dim}", by=entry.name, **cells)
    _search(notes)


def _search(notes):
    gallery = normalize(torch.randn(_GALLERY, _DIM, device="cuda"), dim=1)
    queries = gallery[:_QUERIES]
    before = torch.get_float32_matmul_precision()
    for name, dtype, precision in (
        ("huse-bench", torch.float32, "highest"),
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
            work = _ours if name == "huse-bench" else _by_topk
            seconds = card.seconds(lambda some=some, rows=all_rows, work=work: work(some, rows), Effort(1, 1, 2))
            notes.add(f"{_QUERIES} queries of {_GALLERY} rows", by=name, seconds=seconds)
    torch.set_float32_matmul_precision(before)


def _ours(queries, gallery):
    return kernels.top_k(queries, gallery, ranking.K)


def _by_topk(queries, gallery):
    return torch.cat([(some @ gallery.T).topk(ranking.K, dim=1).values for some in queries.split(_CHUNK)])


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
