"""Same seed, same machine: same numbers, bit for bit, in any process and with any number of threads."""

import os
import subprocess
import sys

from safetensors.numpy import load_file

from huse_bench.discovery import components

# One for each kernel: graph loss, semi-hard triplets, all pairs, double triplets.
METHODS = ["huse", "triplet", "cme", "adamine"]

PRODUCTS = """
import sys, torch
torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
rows = torch.randn(256, 576, requires_grad=True)
layer = torch.nn.Linear(576, 512)
layer(rows).square().mean().backward()
print([float(t.double().sum()) for t in (rows.grad, layer.weight.grad, layer.bias.grad)])
"""


def torch_products(threads):
    command = [sys.executable, "-c", PRODUCTS, str(threads)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def embeddings(folder, threads):
    """Bytes of all embeddings that a process of so many threads trains on the emoji data, by method and array."""
    command = ["run", "--methods", ",".join(METHODS), "--steps", "5", "--save-embeddings", "--results", str(folder)]
    environment = os.environ | {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    subprocess.run(
        [sys.executable, "-m", "huse_bench", *command], check=True, capture_output=True, text=True, env=environment
    )
    files = {path.name: load_file(path) for path in sorted((folder / "embeddings").glob("*.safetensors"))}
    assert [name.rpartition("-s0-")[0] for name in files] == sorted(METHODS)
    return {(name, key): array.tobytes() for name, arrays in files.items() for key, array in arrays.items()}


def test_another_process_with_another_number_of_threads_gives_the_same_bits(tmp_path):
    # Where torch's own products depend on the number of threads, nothing made of them can be the same.
    other = 2 if torch_products(1) == torch_products(2) else 1
    assert embeddings(tmp_path / "one", threads=1) == embeddings(tmp_path / "other", threads=other)


GRADIENTS = """
import sys, torch
import huse_bench as hb
from torch.nn.functional import normalize
from huse_bench.runs.device import settle_functions
torch.set_num_threads(int(sys.argv[1]))
settle_functions()
generator = torch.Generator().manual_seed(0)
draw = lambda *shape: torch.randn(*shape, generator=generator)
labels = torch.arange(256) % 70
classes = hb.ClassGraph(draw(70, 512))
for name in sys.argv[2:]:
    torch.manual_seed(0)
    loss = hb.load("loss", name)()
    image, text = (normalize(draw(256, 512), dim=1).requires_grad_() for _ in range(2))
    logits = [draw(256, 70).requires_grad_() for _ in range(2)]
    sum(loss(hb.Batch(image, text, labels, *logits, classes)).values()).backward()
    # SigLIP's own two numbers are summed over all pairs by torch, in as many parts as there are threads.
    own = [] if name == "siglip" else list(loss.parameters())
    print(name, [hash(t.grad.numpy().tobytes()) for t in (image, text, *logits, *own) if t.grad is not None])
"""


def gradients(threads, names):
    command = [sys.executable, "-c", GRADIENTS, str(threads), *names]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONHASHSEED": "0"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()


def test_gradients_of_all_losses_are_the_same_for_any_number_of_threads():
    names = [component.name for component in components("loss") if component.distribution == "huse-bench"]
    names.remove("hie-tree")  # Its class graph is that of a taxonomy, which the rows have nothing to do with.
    one, two, again = gradients(1, names), gradients(2, names), gradients(2, names)
    assert len(one) == len(names) >= 15
    assert one == two == again
