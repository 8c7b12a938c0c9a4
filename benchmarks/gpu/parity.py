"""Each operation of the CUDA backend beside plain torch in float64, over many shapes and in every precision.

The functions of the backend are called directly, so that the interpreter can stand in for a GPU. Which arguments the
public functions refuse is tested without one.
"""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import normalize

from huse_bench.kernels import cuda, reference

# Whole tiles and steps, one more and one less, and what needs several chunks.
_DIMS = (1024, 1000, 513, 512, 300, 257, 256, 129, 128, 100, 65, 64, 33, 17, 2, 1)
_COUNTS = (1, 2, 31, 64, 65, 127, 129, 700, 1025, 2500)
_LARGE = ((8192, 64), (5000, 512), (6001, 65))
_SMALL = ((1, 17), (33, 65), (65, 1))
_PRECISIONS = ("fp32", "tf32", "fp16")
# Of a value and of a gradient, relative by their norms. With less precision, and in float32 among many rows, pairs on
# the margin are counted the other way, and each moves a gradient by a whole row: these are twice what comes of rounding
# the rows, in plain torch, over such shapes (tf32 cuts bits off, which shifts a value; fp16 rounds, and is nearer).
_VALUE = {"fp32": 1e-5, "tf32": 4e-2, "fp16": 4e-2}
_GRADIENT = {"fp32": 5e-3, "tf32": 6e-2, "fp16": 6e-2}
# Of semi-hard negatives that are nearly as near, another is taken; most of all in two dimensions.
_GRADIENT_OF_NEGATIVES = {"fp32": 5e-3, "tf32": 0.35, "fp16": 0.35}
# Where the margin lies in a gap of the similarities, no pair can change sides in float32.
_CLEAR, _CLEAR_GRADIENT = 600, 1e-4
_RANKED, _GALLERY, _K = 700, 5000, 10


@dataclass(frozen=True)
class Operation:
    """A loss of rows; ``reference`` computes the same of any rows, given the same arguments."""

    name: str
    function: str
    leaves: list[Tensor]
    arguments: tuple
    clear: bool = False


def check(notes):
    cases = _SMALL if notes.dry_run else _cases()
    part, parts = notes.part
    dims = sorted({dim for _, dim in cases})[part::parts]
    worst = {}
    for dim in dims:
        notes.add("shapes", dim=dim, rows=", ".join(str(count) for count, of in cases if of == dim))
    for count, dim in cases:
        if dim not in dims:
            continue
        if notes.late:
            notes.fail(f"{count} x {dim}: no time was left")
            continue
        for operation in operations(count, dim, notes.device):
            expected = value_and_gradients(getattr(reference, operation.function), *in_float64(operation))
            for precision in _PRECISIONS[:1] if notes.dry_run else _PRECISIONS:
                where = f"{operation.name}, {precision}, {count} x {dim}"
                with notes.guarded(where):
                    _compare(notes, operation, precision, expected, where, worst)
        with notes.guarded(f"top_k, {count} x {dim}"):
            _rank(notes, count, dim)
        notes.replace("largest differences from float64", list(worst.values()))


def _cases():
    """Each dimension with some counts, and each count with some dimensions: kernels are compiled for each dimension."""
    pairs = product(enumerate(_DIMS), enumerate(_COUNTS))
    return [(count, dim) for (i, dim), (j, count) in pairs if (i + j) % 3 == 0] + list(_LARGE)


def operations(count, dim, device):
    """Every loss on data around classes, some of it not contiguous."""
    generator = torch.Generator().manual_seed(count * 10_007 + dim)

    def unit(rows, width):
        return normalize(torch.randn(rows, width, generator=generator), dim=1)

    classes = max(2, min(count // 3, 101))
    labels = torch.randint(classes, (count,), generator=generator)
    image = normalize(unit(classes, dim)[labels] + unit(count, dim), dim=1)
    text = normalize(image + 0.8 * unit(count, dim), dim=1)
    psi = unit(classes, 8)
    distances = (1 - psi @ psi.T).clamp_min(0).fill_diagonal_(0)
    wide = torch.zeros(count, dim + 3)
    wide[:, 2 : 2 + dim] = image
    image, text, wide, labels, distances = (x.to(device) for x in (image, text, wide, labels, distances))
    margin = _margin_in_a_gap(image)
    some = labels.where(torch.arange(count, device=device) % 11 != 0, -1)
    clear = count <= _CLEAR
    made = [
        Operation(f"graph loss, {relaxation}", "graph_loss", [image], (labels, distances, margin, relaxation), clear)
        for relaxation in ("and", "or", "hinge", "none")
    ]
    strided = [wide[:, 2 : 2 + dim]]
    made += [
        Operation(
            "graph loss, rows of a wider matrix", "graph_loss", strided, (labels, distances, margin, "or"), clear
        ),
        Operation("mismatch hinge", "mismatch_hinge", [image, text], (0.1,)),
        Operation("double triplet, first", "double_triplet_terms", [image, text], (some, 0.3, "first")),
    ]
    if dim > 1:  # In one dimension all distances are equal, and any negative may be taken.
        made.append(Operation("semi-hard triplet", "semihard_triplet", [image], (labels, 0.3)))
    if count <= 1025:  # In plain torch each positive takes a matrix.
        made.append(Operation("double triplet, all", "double_triplet_terms", [image, text], (some, 0.3, "all")))
    return made


def _margin_in_a_gap(x):
    """A distance that no two rows are near, so that no pair changes sides by rounding."""
    some = x[:_CLEAR].double()
    distances = (1 - some @ some.T).flatten().sort().values
    middle = int(len(distances) * 0.3)
    near = distances[max(middle - 200, 0) : middle + 200]
    if len(near) < 2:
        return 0.5
    widest = int((near[1:] - near[:-1]).argmax())
    return float((near[widest] + near[widest + 1]) / 2)


def _compare(notes, operation, precision, expected, where, worst):
    arguments = (*operation.arguments, precision)
    ours = getattr(cuda, operation.function)
    # NaN where the next uninitialised memory will be shows a value that no program writes.
    _poison(operation)
    found = value_and_gradients(ours, operation.leaves, arguments)
    _poison(operation)
    again = value_and_gradients(ours, operation.leaves, arguments)
    of_value, of_gradient = (relative(a, b) for a, b in zip(found, expected, strict=True))
    most_of_value, most_of_gradient = limits(operation, precision)
    # Written so that NaN fails.
    if not of_value <= most_of_value:
        notes.fail(f"{where}: the value is off by {of_value:.1e}, more than {most_of_value:.0e}")
    if not of_gradient <= most_of_gradient:
        notes.fail(f"{where}: the gradient is off by {of_gradient:.1e}, more than {most_of_gradient:.0e}")
    if not all(map(torch.equal, found, again)):
        notes.fail(f"{where}: other bits the second time")
    row = worst.setdefault(
        (operation.name, precision),
        {"operation": operation.name, "precision": precision, "value": 0.0, "gradient": 0.0},
    )
    row["value"], row["gradient"] = max(row["value"], of_value), max(row["gradient"], of_gradient)


def limits(operation, precision):
    """How far a value and a gradient may be off."""
    if precision == "fp32" and operation.clear:
        return _VALUE[precision], _CLEAR_GRADIENT
    of_gradient = _GRADIENT_OF_NEGATIVES if operation.function == "semihard_triplet" else _GRADIENT
    return _VALUE[precision], of_gradient[precision]


def in_float64(operation):
    """Leaves and arguments."""
    return [leaf.double() for leaf in operation.leaves], tuple(
        argument.double() if torch.is_tensor(argument) and argument.is_floating_point() else argument
        for argument in operation.arguments
    )


def value_and_gradients(loss, leaves, arguments):
    """A loss, or its terms summed by weights, and the gradients of all leaves in one matrix."""
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    value = loss(*leaves, *arguments)
    if isinstance(value, tuple):
        # Weights apart, so that no term can stand for another.
        value = sum(weight * term for weight, term in zip((1.0, 2.0, 3.0, 4.0), value, strict=True))
    value.backward()
    return value.detach(), torch.cat([leaf.grad for leaf in leaves])


def relative(found, expected):
    """The norm of the difference by that of what is expected."""
    return float((found.double() - expected).norm() / expected.norm().clamp(min=1e-9))


def _poison(operation):
    rows, dim = operation.leaves[0].shape
    sizes = (rows, 64 * (dim + 64), rows * (dim + 64)) * 3
    kept = [torch.full((size,), torch.nan, device=operation.leaves[0].device) for size in sizes]
    del kept


def _rank(notes, count, dim):
    """On a grid, where products are exact and ties abound, against a stable sort of float64."""
    generator = torch.Generator().manual_seed(count + dim)
    queries, gallery = (
        (torch.randint(-2, 3, (min(count, most), dim), generator=generator) / 4).to(notes.device)
        for most in (_RANKED, _GALLERY)
    )
    k = min(_K, len(gallery))
    values, indices = cuda.top_k(queries, gallery, k, exclude_self=False)
    wanted, order = (queries.double() @ gallery.double().T).sort(dim=1, descending=True, stable=True)
    if not torch.equal(indices, order[:, :k]) or not torch.equal(values, wanted[:, :k].float()):
        notes.fail(f"top_k, {count} x {dim}: another ranking")
