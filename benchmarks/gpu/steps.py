"""Steps a second of whole trainings at the paper's sizes, where they wait for the GPU, and what they launch on it."""

import torch

import huse_bench as hb
from benchmarks.bench_training_step import CLASSES, IMAGE, TEXT, class_graph, items
from benchmarks.gpu.waits import waits
from huse_bench.config import TrainingConfig
from huse_bench.training import Model, Stack, Training

_BATCH, _STEPS, _WARM = 1024, 150, 5
# Few enough to look at each, and with both of those at which the loss is read.
_TRACED = 9
_SEEDS = 10
_METHODS = ("cme", "adamine", "triplet", "info-nce", "siglip", "vse-pp", "sup-con", "dscmr", "devise", "separate")
_VARIANTS = {
    "huse": {},
    "huse, adamw": {"optimizer": "adamw"},
    "huse, towers in bfloat16": {"precision": "bfloat16"},
}


def check(notes):
    small = {"width": 8, "embedding_dim": 8} if notes.dry_run else {}
    batch, steps = (16, 2) if notes.dry_run else (_BATCH, _STEPS)
    bench = _Bench(batch, notes.device)
    base = TrainingConfig(steps=steps, batch_size=batch, **small)
    plan = [(words, "huse", changes) for words, changes in _VARIANTS.items()]
    plan += [(name, name, {"steps": min(steps, 60)}) for name in _METHODS]
    for words, method, changes in plan[:1] + plan[-2:] if notes.dry_run else plan:
        if notes.late:
            notes.fail(f"{words}: no time was left")
            continue
        with notes.guarded(words):
            config = base.model_copy(update=changes)
            bench.run(method, config.model_copy(update={"steps": min(_WARM, steps)}))
            recorded = bench.run(method, config)
            one_by_one = bench.run(method, config, _one_by_one)
            notes.add(
                "trainings",
                method=words,
                batch=batch,
                steps_per_second=config.steps / recorded.seconds,
                steps_per_second_one_by_one=config.steps / one_by_one.seconds,
                recorded="; ".join(recorded.remarks) or "yes",
                # Both took the same batches and random numbers.
                difference=max(abs(one - one_by_one.losses[name]) for name, one in recorded.losses.items()),
            )
    seeds = 2 if notes.dry_run else _SEEDS
    for method in ("huse",) if notes.dry_run else ("huse", "adamine", "info-nce"):
        with notes.guarded(f"{method}, {seeds} seeds at once"):
            alone, first = bench.run(method, base), bench.at_once(method, base, seeds)
            notes.add(
                "seeds at once",
                method=method,
                seeds=seeds,
                batch=batch,
                # Of all seeds, whose time each has its share of.
                steps_per_second=base.steps / first.seconds,
                steps_per_second_by_itself=base.steps / alone.seconds,
                remarks="; ".join(first.remarks) or "none",
                difference=max(abs(one - alone.losses[name]) for name, one in first.losses.items()),
            )
    if notes.dry_run:
        return
    with notes.guarded("huse, towers in tf32"):
        torch.set_float32_matmul_precision("high")
        trained = bench.run("huse", base)
        notes.add("trainings", method="huse, towers in tf32", batch=batch, steps_per_second=steps / trained.seconds)
    torch.set_float32_matmul_precision("highest")
    for method in ("huse", "adamine", "triplet", "cme"):
        with notes.guarded(f"{method}, traced"):
            _trace(notes, bench, method, base.model_copy(update={"steps": _TRACED}))


class _Bench:
    """The data of the benchmark of a training step, on a device."""

    def __init__(self, batch, device):
        self._device = device
        self._data = items(4 * batch).to(device)
        classes, self._margin = class_graph()
        self._classes = classes.to(device)

    def run(self, method, config, record=None):
        return self._training(method, config, record).run()

    def at_once(self, method, config, seeds):
        """What the first of some seeds comes to, which is the one that is run by itself."""
        trainings = [self._training(method, config, None, seed) for seed in range(seeds)]
        stack = Stack(trainings)
        while stack.trainings:
            for error in stack.step().values():
                raise error
        return trainings[0].trained()

    def _training(self, method, config, record, seed=0):
        torch.manual_seed(2 + seed)
        loss = hb.load("loss", method)(**({"margin": self._margin} if method == "huse" else {}))
        sizes = {"image_features": IMAGE, "text_features": TEXT, "class_features": 32, "classes": CLASSES}
        model = Model(config, loss, **sizes).to(self._device)
        generator = torch.Generator().manual_seed(3 + seed)
        return Training(model, loss.to(self._device), self._data, self._classes, config, generator, record)


def _one_by_one(work, parameters):
    """A step that is launched anew at each step, as it is where it cannot be recorded."""
    del parameters
    return work


def _trace(notes, bench, method, config):
    bench.run(method, config)
    for place, times in waits(lambda: bench.run(method, config)).items():
        notes.add(f"waits of the host in {_TRACED} steps", method=method, place=place, times=times)
    torch.cuda.synchronize()
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as trace:
        bench.run(method, config)
        torch.cuda.synchronize()
    taken = {}
    for event in trace.events():
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.is_user_annotation:
            taken.setdefault(event.name, []).append(event.time_range.elapsed_us())
    notes.add(
        "a step on the GPU",
        method=method,
        launches=sum(map(len, taken.values())) / _TRACED,
        busy_ms=sum(map(sum, taken.values())) / _TRACED / 1e3,
    )
    for name, times in sorted(taken.items(), key=lambda item: -sum(item[1]))[:8]:
        share = sum(times) / sum(map(sum, taken.values()))
        notes.add("what a step is busy with", method=method, kernel=name[:80], calls=len(times) / _TRACED, share=share)
