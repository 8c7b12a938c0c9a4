"""No code of ours reads what can run code: pickles in all their forms, from no file and no connection but workers'."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Modules whose files can run code as they are read; with theirs, those that send functions and answers as pickles.
MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "jsonpickle", "joblib", "shelve", "marshal"),
    *("multiprocessing", "torch.multiprocessing", "loky", "submitit", "distributed", "ray"),
}

#: Functions that read such files, whatever they are given.
FUNCTIONS = {
    *("pandas.read_pickle", "torch.hub.load", "torch.package.PackageImporter", "torch.jit.load", "yaml.load"),
    *("torch.distributed.broadcast_object_list", "torch.distributed.all_gather_object"),
    *("torch.distributed.recv_object_list", "torch.distributed.scatter_object_list", "torch.distributed.gather_object"),
}

#: Functions that do so unless an argument says otherwise.
UNLESS = {
    "numpy.load": ("allow_pickle", False),
    "numpy.lib.format.read_array": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
    # What numba keeps are pickles and machine code.
    "numba.njit": ("cache", False),
    "numba.jit": ("cache", False),
}

WORKERS = "pipes to our own workers"
CLUSTER = "the user's own cluster, whose workers run code by design"
COPIES = "copies made on the same line"

#: What is allowed, with the reason: a file, and what it may use.
ALLOWED = {
    ("huse_bench/compiling.py", "numba.njit"): "compiled code is as trusted as its source, beside which it lies",
    ("huse_bench/execution/dask_cluster.py", "distributed"): CLUSTER,
    ("huse_bench/execution/loky_processes.py", "loky"): WORKERS,
    ("huse_bench/execution/ray_cluster.py", "ray"): CLUSTER,
    ("huse_bench/execution/slurm_jobs.py", "submitit"): CLUSTER,
    ("huse_bench/features/_pixels.py", "pickle"): WORKERS,
    ("huse_bench/testing/_backbones.py", "pickle"): COPIES,
    ("huse_bench/testing/_losses.py", "pickle"): COPIES,
}


class Scanner(ast.NodeVisitor):
    """Collects the line and the name of what can run code as it is read, under whatever name it was imported."""

    def __init__(self):
        self.names = {}
        self.found = []

    def visit_Import(self, node):
        for alias in node.names:
            self.names[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
            self.module(node, alias.name)

    def visit_ImportFrom(self, node):
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            if node.level == 0:
                self.names[alias.asname or alias.name] = whole
                if not self.module(node, whole):
                    self.used(node, whole)

    def visit_Call(self, node):
        name = self.dotted(node.func)
        if name in UNLESS:
            word, due = UNLESS[name]
            said = [keyword.value for keyword in node.keywords if keyword.arg == word]
            if not (said and isinstance(said[0], ast.Constant) and said[0].value is due):
                self.found.append((node.lineno, name))
        else:
            self.visit(node.func)
        if (name or "").rpartition(".")[2] in {"import_module", "__import__", "importorskip", "require"}:
            for part in node.args:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    self.module(node, part.value)
        for part in [*node.args, *node.keywords]:
            self.visit(part)

    def visit_Attribute(self, node):
        name = self.dotted(node)
        if name is None:
            self.generic_visit(node)
        elif name in UNLESS:
            # Given on, to be called by somebody else.
            self.found.append((node.lineno, name))
        elif not self.module(node, name):
            self.used(node, name)

    def visit_Name(self, node):
        if self.names.get(node.id) in UNLESS:
            self.found.append((node.lineno, self.names[node.id]))

    def dotted(self, node):
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        inner = self.dotted(node.value) if isinstance(node, ast.Attribute) else None
        return None if inner is None else f"{inner}.{node.attr}"

    def module(self, node, name):
        """Whether a name is of a module that is not to be used, or inside one."""
        if isinstance(node, ast.Attribute) and name.partition(".")[0] in self.names.values():
            # Its import was found already.
            return name.partition(".")[0] in MODULES
        module = next((known for known in MODULES if name == known or name.startswith(f"{known}.")), None)
        if module and not isinstance(node, ast.Attribute):
            self.found.append((node.lineno, module))
        return module is not None

    def used(self, node, name):
        if name in FUNCTIONS:
            self.found.append((node.lineno, name))


def scan(source):
    scanner = Scanner()
    scanner.visit(ast.parse(source))
    return sorted(scanner.found)


def files():
    return sorted(path for top in ("huse_bench", "plugins", "benchmarks") for path in (ROOT / top).rglob("*.py"))


def test_nothing_that_can_run_code_is_read():
    found = {}
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        for line, what in scan(path.read_bytes()):
            found.setdefault((name, what), f"{name}:{line} uses {what}")
    refused = [where for key, where in found.items() if key not in ALLOWED]
    assert not refused, (
        "; ".join(refused) + ": read safetensors, .npy with allow_pickle=False, Parquet or JSON; what "
        "only our own workers send may be added to ALLOWED here, with the reason"
    )
    assert not ALLOWED.keys() - found.keys(), "ALLOWED names what is not there"


def test_there_is_something_to_scan():
    assert len(files()) > 300


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import pickle", ["pickle"]),
        ("import os, _pickle as p", ["_pickle"]),
        ("from pickle import loads", ["pickle"]),
        ("def f():\n    import dill", ["dill"]),
        ("from cloudpickle import load as read", ["cloudpickle"]),
        ("from joblib import Memory", ["joblib"]),
        ("import joblib.memory", ["joblib"]),
        ("import shelve, marshal", ["marshal", "shelve"]),
        ("import multiprocessing.connection", ["multiprocessing"]),
        ("import importlib\nimportlib.import_module('pickle')", ["pickle"]),
        ("__import__('marshal')", ["marshal"]),
        ("import pandas as pd\npd.read_pickle(path)", ["pandas.read_pickle"]),
        ("from pandas import read_pickle", ["pandas.read_pickle"]),
        ("import numpy as np\nnp.load(path)", ["numpy.load"]),
        ("import numpy as np\nnp.load(path, allow_pickle=True)", ["numpy.load"]),
        ("import numpy as np\nnp.load(path, allow_pickle=flag)", ["numpy.load"]),
        ("import numpy as np\nnp.load(path, None, True)", ["numpy.load"]),
        ("import numpy as np\nnp.load(path, allow_pickle=False)", []),
        ("import numpy as np\nread = np.load", ["numpy.load"]),
        ("from numpy import load\nload(path)", ["numpy.load"]),
        ("import numpy\nwith numpy.load(path) as held: pass", ["numpy.load"]),
        ("import torch\ntorch.load(path)", ["torch.load"]),
        ("import torch\ntorch.load(path, weights_only=False)", ["torch.load"]),
        ("import torch\nmodel.load_state_dict(torch.load(path, weights_only=True))", []),
        ("import torch as t\nmap(t.load, paths)", ["torch.load"]),
        ("import torch\ntorch.hub.load('a', 'b')", ["torch.hub.load"]),
        ("import torch\ntorch.distributed.all_gather_object(a, b)", ["torch.distributed.all_gather_object"]),
        ("import torch.multiprocessing as mp", ["torch.multiprocessing"]),
        ("from numba import njit\n@njit(cache=True)\ndef f(): pass", ["numba.njit"]),
        ("import json, safetensors.torch\njson.load(file); safetensors.torch.load(file)", []),
        ("from safetensors.torch import load\nload(contents)", []),
        ("pickled = store.load(path)", []),
    ],
)
def test_the_scanner_finds_what_is_planted(code, found):
    assert [name for _, name in scan(code)] == found


def test_a_finding_says_where():
    assert scan("import json\n\n\nimport pickle\n") == [(4, "pickle")]
