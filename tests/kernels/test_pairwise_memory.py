"""The CPU backends need memory linear in the rows."""

import subprocess
import sys

PROGRAM = """
import resource, torch
from huse_bench import kernels

def step(count):
    x = torch.nn.functional.normalize(torch.randn(count, 64), dim=1).requires_grad_()
    text = x.detach().roll(1, 0)
    labels = torch.randint(100, (count,))
    psi = torch.nn.functional.normalize(torch.randn(100, 8), dim=1)
    distances = 1 - psi @ psi.T
    for relaxation in ("and", "none"):
        kernels.graph_loss(x, labels, distances, 0.5, relaxation).backward()
    kernels.semihard_triplet(x, labels, 0.3).backward()
    kernels.double_triplet(x, text, labels, 0.3, 0.1).backward()
    kernels.cosine_embedding(x, text, 0.1, 0.8).backward()

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

torch.manual_seed(0)
torch.set_num_threads(1)
step(64)
before = peak()
step(8192)
print(peak() - before)
"""


def test_peak_memory_is_far_below_a_matrix_of_all_pairs():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    kibibytes = int(ran.stdout)
    assert kibibytes < 8192**2 * 4 / 1024 / 2
