"""A command that torchrun starts several times gives what it gives alone, once."""

import os
import subprocess
import sys

import pytest

import huse_bench as hb
from huse_bench.cli import main

BROKEN = '''
import torch
from huse_bench import Loss

class Broken(Loss):
    """Fails at its fourth step."""
    title = "Broken"

    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, batch):
        self.steps += 1
        if self.steps == 4:
            raise RuntimeError("a fault of its own")
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}
'''


@pytest.fixture
def command(toy):
    (toy / "plugins").mkdir()
    (toy / "plugins/broken.py").write_text(BROKEN)
    (toy / "quick.toml").write_text(
        '[training]\nsteps = 12\nbatch_size = 31\nwidth = 16\nembedding_dim = 8\noptimizer = "adamw"\n'
        "learning_rate = 0.001\n"
    )

    def start(processes, *arguments):
        launch = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"] if processes else []
        return subprocess.run(
            [sys.executable, "-m", *launch, "huse_bench", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    return start


def run(command, processes, folder, methods):
    options = ["--dataset", "toy", "--plugins-dir", "plugins", "--config", "quick.toml", "--results", folder]
    return command(processes, "run", *options, "--methods", methods)


def test_two_processes_give_the_numbers_of_one_and_print_once(command):
    alone = run(command, 0, "alone", "huse,siglip")
    both = run(command, 2, "both", "huse,siglip")
    assert alone.returncode == both.returncode == 0, both.stderr
    assert both.stdout.count("Table 1:") == 1
    for one, other in zip(hb.load_results("alone").records, hb.load_results("both").records, strict=True):
        assert other.fingerprint == one.fingerprint
        assert other.training.losses == pytest.approx(one.training.losses, rel=1e-4)
        assert other.validation == pytest.approx(one.validation, abs=0.03)
        assert "processes" not in one.provenance
        assert other.provenance["processes"] == "2"
    again = run(command, 2, "both", "huse,siglip")
    assert again.returncode == 0
    assert "2 of 2 runs are finished in both and are not run again" in again.stderr


def test_a_method_that_fails_in_all_processes_is_a_record_and_the_others_go_on(command):
    done = run(command, 2, "results", "broken,siglip")
    assert done.returncode != 0
    broken, siglip = hb.load_results("results").records
    assert broken.status == "failed"
    assert "a fault of its own" in broken.error
    assert siglip.status == "finished"


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "--trials", "2"], "huse-bench tune is the work of one process, and torchrun started 2"),
        (["run", "--dry-run"], "--dry-run is the work of one process, and torchrun started 2"),
        (["run", "--device", "cuda:1"], "device 'cuda:1' (command line) is one device, and torchrun started 2"),
    ],
)
def test_what_several_processes_cannot_do_is_refused(monkeypatch, capsys, arguments, message):
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main([*arguments, "--dataset", "toy"]) == 2
    assert message in capsys.readouterr().err


def test_a_batch_of_fewer_pairs_than_processes_is_refused(command, toy):
    (toy / "quick.toml").write_text("[training]\nsteps = 2\nbatch_size = 2\n")
    done = run(command, 3, "results", "siglip")
    assert done.returncode != 0
    assert "3 processes share each batch, and training.batch_size = 2 has not one pair for each" in done.stderr
