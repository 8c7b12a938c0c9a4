"""What else a loss must do on a GPU: other streams, autocast, one leaf alone, CUDA graphs, torch.compile."""

import warnings
from contextlib import suppress
from functools import partial

import torch

from benchmarks.gpu.notes import first_line
from benchmarks.gpu.parity import relative, value_and_gradients
from benchmarks.gpu.waits import waits
from benchmarks.losses import MARGIN, batch, class_distances
from huse_bench import kernels

_ROWS, _DIM = 2048, 512


def check(notes):
    rows, dim = (66, 5) if notes.dry_run else (_ROWS, _DIM)
    x, labels = (tensor.to(notes.device) for tensor in batch(2 * rows, dim))
    distances, margin = class_distances()
    image, text, own = x[:rows], x[rows:], labels[:rows]
    losses = {
        "graph loss": (
            partial(kernels.graph_loss, labels=own, distances=distances.to(notes.device), margin=margin),
            [image],
        ),
        "cosine embedding": (partial(kernels.cosine_embedding, margin=0.1, mismatch_probability=0.8), [image, text]),
        "semi-hard triplet": (partial(kernels.semihard_triplet, labels=own, margin=MARGIN), [image]),
        "double triplet": (
            partial(kernels.double_triplet, labels=own, margin=MARGIN, semantic_weight=0.5),
            [image, text],
        ),
    }
    checks = _ANYWHERE if notes.dry_run else _ANYWHERE | _ON_A_GPU
    for what, work in checks.items():
        for name, (loss, leaves) in losses.items():
            if notes.late:
                notes.fail(f"{name}, {what}: no time was left")
                continue
            with notes.guarded(f"{name}, {what}"):
                notes.add("what works", loss=name, what=what, result=work(loss, leaves) or "yes")


def _without_gradients(loss, leaves):
    with torch.no_grad():
        assert not loss(*leaves).requires_grad


def _one_leaf(loss, leaves):
    first = leaves[0].detach().requires_grad_()
    loss(first, *leaves[1:]).backward()
    assert bool(first.grad.isfinite().all())


def _scaled_under_autocast(loss, leaves):
    plain, scaled = (leaves[0].detach().clone().requires_grad_() for _ in range(2))
    loss(plain, *leaves[1:]).backward()
    with torch.autocast(plain.device.type, torch.bfloat16):
        value = loss(scaled, *leaves[1:])
    (value * 65536.0).backward()
    torch.testing.assert_close(scaled.grad / 65536.0, plain.grad)


def _second_derivative(loss, leaves):
    first = leaves[0].detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(first, *leaves[1:]), first, create_graph=True)
    try:
        gradient.sum().backward()
    except RuntimeError:
        return "refused"
    raise AssertionError("there is none, and yet it gave something")


def _behind_work_of_another_stream(loss, leaves):
    torch.cuda.synchronize()
    expected = loss(*leaves)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        busy = torch.randn(4096, 4096, device="cuda")
        for _ in range(20):
            busy = busy @ busy * 1e-3
        # Rows that are there only once all of that is done.
        late = [leaf + busy.flatten()[:1].nan_to_num(0, 0, 0) * 0 for leaf in leaves]
        value = loss(*late)
    stream.synchronize()
    assert torch.equal(value, expected)


def _waits(loss, leaves):
    value_and_gradients(loss, leaves, ())
    with kernels.unchecked():
        found = waits(lambda: value_and_gradients(loss, leaves, ()))
    return ", ".join(f"{place} {times}x" for place, times in found.items()) or "none"


def _captured(loss, leaves):
    static = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.autograd.grad(loss(*static), static)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    try:
        with kernels.unchecked(), torch.cuda.graph(graph):
            value = loss(*static)
            gradients = torch.autograd.grad(value, static)
    except RuntimeError as error:
        # A capture that was broken off may be reported once more.
        with suppress(RuntimeError):
            torch.cuda.synchronize()
        return f"no: {first_line(error)}"
    graph.replay()
    torch.cuda.synchronize()
    found = value.detach(), torch.cat(gradients)
    assert all(map(torch.equal, found, value_and_gradients(loss, leaves, ())))
    return "yes"


def _inside_torch_compile(loss, leaves):
    torch._dynamo.reset()  # noqa: SLF001 - where PyTorch's documentation has it
    expected = value_and_gradients(loss, leaves, ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = value_and_gradients(torch.compile(loss), leaves, ())
    assert all(relative(ours, wanted) < 1e-5 for ours, wanted in zip(found, expected, strict=True))


_ANYWHERE = {
    "a value without gradients": _without_gradients,
    "a gradient of one side alone": _one_leaf,
    "a scaled loss under autocast": _scaled_under_autocast,
    "a second derivative": _second_derivative,
}
# A capture that fails may leave the process unusable, so these are the last.
_ON_A_GPU = {
    "another stream": _behind_work_of_another_stream,
    "waits of the host": _waits,
    "inside torch.compile": _inside_torch_compile,
    "captured in a CUDA graph": _captured,
}
