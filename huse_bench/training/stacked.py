"""Several trainings of one method taken a step at once: a layer of all towers is one product, a step one graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from huse_bench.components import Batch
from huse_bench.training.capture import Recorder, RepeatedStep, cuda_graph
from huse_bench.training.loop import Training
from huse_bench.training.model import Model, Tower
from huse_bench.training.stopwatch import Stopwatch
from huse_bench.training.terms import total_of

__all__ = ["Stack"]

#: What each of the trainings has of something.
_Terms = Sequence[Mapping[str, Tensor]]


class Stack:
    """Trainings that differ in their seed alone, taken a step at once, each with the numbers that it has by itself.

    A layer of all towers is one batched product, and its dropout one kernel; losses and optimisers are those of each.
    Where such a step fails, all are trained one by one from there.

    Args:
        trainings: of one method, data and configuration, whose batches no other process shares.
        record: as :class:`Training` takes it, of the steps taken at once.
    """

    def __init__(self, trainings: Sequence[Training], record: Recorder | None = None) -> None:
        device = trainings[0].device
        self._record = cuda_graph if record is None and device.type == "cuda" else record
        self._clock = Stopwatch(device)
        self._trainings: list[Training] = []
        self._towers: _Towers | None = None
        self._failed = False
        self._arrange(trainings)

    @property
    def trainings(self) -> Sequence[Training]:
        """Those that have steps to take, and have not failed."""
        return self._trainings

    def step(self) -> dict[Training, BaseException]:
        """Take the next step of each.

        Returns:
            What went wrong, by training: it is taken no further.
        """
        for training in self._trainings:
            training.draw()
        # Shares are measured of one training at a time.
        together = self._towers is not None and not any(training.is_measured for training in self._trainings)
        failed = self._together() if together else self._one_by_one()
        self.keep(
            [training for training in self._trainings if training.done < training.steps and training not in failed]
        )
        return failed

    def keep(self, trainings: Collection[Training]) -> None:
        """Take no more steps of the others.

        Args:
            trainings: those whose next steps are to be taken.
        """
        left = [training for training in self._trainings if training in trainings]
        if len(left) < len(self._trainings):
            self._arrange(left)

    def _together(self) -> dict[Training, BaseException]:
        states = [(training.random.host, training.random.placed) for training in self._trainings]
        try:
            terms = iter(self._take())
        # Whose fault it is shows where each is by itself, and so does whether there is memory for one.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            for training, state in zip(self._trainings, states, strict=True):
                training.random.host, training.random.placed = state
            self._give_up(error)
            self._arrange(self._trainings)
            return self._one_by_one()
        return self._each(lambda training: training.take(next(terms)))

    def _one_by_one(self) -> dict[Training, BaseException]:
        # What was recorded of one holds for as long as nothing is stacked, which moves its parameters.
        return self._each(lambda training: training.advance(recorded=self._towers is None))

    def _give_up(self, error: BaseException) -> None:
        reason = (str(error) or repr(error)).splitlines()[0]
        for training in self._trainings:
            training.remarks.append(
                f"trained by itself after step {training.done}, since a step at once with others failed: {reason}"
            )
        self._failed = True

    def _each(self, do: Callable[[Training], None]) -> dict[Training, BaseException]:
        failed: dict[Training, BaseException] = {}
        for training in self._trainings:
            try:
                do(training)
            # One that fails costs the others nothing.
            except (Exception, SystemExit) as error:  # noqa: BLE001
                failed[training] = error
        return failed

    def _arrange(self, trainings: Sequence[Training]) -> None:
        """Stack some of the trainings, in place of those that were."""
        self._clock.stop()
        if self._towers is not None:
            self._towers.part()
        for training in self._trainings:
            training.time_by(Stopwatch(training.device))
        self._trainings = list(trainings)
        for training in trainings:
            training.time_by(self._clock)
        self._clock.sharing = max(1, len(trainings))
        self._towers = None
        if len(trainings) > 1 and not self._failed:
            try:
                self._towers = _Towers([each.model for each in trainings])
            except torch.OutOfMemoryError as error:
                self._give_up(error)
        record = self._record
        self._take = self._update if record is None else RepeatedStep(self._update, self._trainings, record)

    def _update(self) -> _Terms:
        """Bring the parameters of each one step further, by its batch; gives the terms of each."""
        assert self._towers is not None
        first, trainings = self._trainings[0], self._trainings
        index = torch.stack([training.index for training in trainings])
        keys = [training.keys for training in trainings if training.keys is not None]
        image, text = (
            of.index_select(0, index.view(-1)).view(*index.shape, -1) for of in (first.data.image, first.data.text)
        )
        self._towers.zero_grad()
        for training in trainings:
            training.optimizer.zero_grad()
        rows = self._towers.rows(image, text, torch.stack(keys) if keys else None)
        terms = []
        for training, labels, made in zip(trainings, first.data.targets[index], _of_each(rows), strict=True):
            image_rows, text_rows, *log_variances = made
            assert image_rows is not None
            assert text_rows is not None
            logits = training.model.logits(image_rows, text_rows)
            batch = Batch(image_rows, text_rows, labels, *logits, training.graph, *log_variances)
            with training.random:
                terms.append(training.loss(batch))
        torch.autograd.backward([total_of(of) for of in terms])
        self._towers.hand_out_gradients()
        for training in trainings:
            training.optimizer.step()
        return [{name: value.detach() for name, value in of.items()} for of in terms]


def _of_each(rows: Sequence[Tensor | None]) -> Iterator[tuple[Tensor | None, ...]]:
    count = next(len(of) for of in rows if of is not None)
    return zip(*([None] * count if of is None else of.unbind() for of in rows), strict=True)


class _Towers(Model):
    """The towers of several models as those of one, which have the same memory."""

    def __init__(self, models: Sequence[Model]) -> None:
        nn.Module.__init__(self)
        self.image, self.text = (_Tower([getattr(model, name) for model in models]) for name in ("image", "text"))
        self.mixed = models[0].mixed

    def hand_out_gradients(self) -> None:
        """Give each model the gradients of its part."""
        for layer in self._layers():
            layer.hand_out_gradients()

    def part(self) -> None:
        """Give each model memory of its own."""
        for layer in self._layers():
            layer.part()

    def _layers(self) -> Iterator[_Layer]:
        return (module for module in self.modules() if isinstance(module, _Layer))


class _Tower(Tower):
    def __init__(self, towers: Sequence[Tower]) -> None:
        nn.Module.__init__(self)
        self.layers = nn.ModuleList(_Layer(of) for of in zip(*(tower.layers for tower in towers), strict=True))
        varied = [tower.log_variance for tower in towers if tower.log_variance is not None]
        self.log_variance = _Layer(varied) if varied else None
        self.dropout, self.unit = towers[0].dropout, towers[0].unit


class _Layer(nn.Linear):
    """Linear layers of one shape, each for its own rows: (S, n, inputs) to (S, n, outputs)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        nn.Module.__init__(self)
        self._parts = [(layer.weight, layer.bias) for layer in layers]
        self.weight, self.bias = (
            nn.Parameter(torch.stack([part.detach() for part in of])) for of in zip(*self._parts, strict=True)
        )
        for number, (weight, bias) in enumerate(self._parts):
            weight.data, bias.data = self.weight.data[number], self.bias.data[number]

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias[:, None], x, self.weight.mT)

    def hand_out_gradients(self) -> None:
        for number, parts in enumerate(self._parts):
            for part, whole in zip(parts, (self.weight, self.bias), strict=True):
                part.grad = None if whole.grad is None else whole.grad[number]

    def part(self) -> None:
        for parts in self._parts:
            for part in parts:
                part.data, part.grad = part.data.clone(), None
