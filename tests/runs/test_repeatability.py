"""Same seed, same machine: same numbers, bit for bit, in any process and with any number of threads."""

import os
import subprocess
import sys

from safetensors.numpy import load_file

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
