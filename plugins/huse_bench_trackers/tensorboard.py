"""TensorBoard: files of events in the results folder, to be shown by ``tensorboard --logdir``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from huse_bench import hookimpl
from huse_bench_backbones._extras import require
from huse_bench_trackers._facts import curve, folder, name, numbers, parameters

if TYPE_CHECKING:
    from huse_bench.discovery.hookspecs import PlannedRun
    from huse_bench.results import RunRecord

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes a folder of events for each run, ``tracking/tensorboard/<run>`` in the results folder."""

    def __init__(self) -> None:
        package = ("TensorBoard", "tensorboard", "tensorboard")
        require("tensorboard", *package)
        self._writer = require("torch.utils.tensorboard", *package).SummaryWriter
        self._hyper_parameters = require("torch.utils.tensorboard.summary", *package).hparams
        self._open: dict[str, Any] = {}
        self._parameters: dict[str, dict[str, Any]] = {}

    @hookimpl
    def huse_bench_run_start(self, spec: "PlannedRun") -> None:
        """Begin the run's folder; what an earlier process wrote of it is shown no more, for it comes again."""
        path = folder(spec) / "tensorboard" / f"{name(spec).replace(' ', '-')}-{spec.fingerprint[:12]}"
        writer = self._open[spec.fingerprint] = self._writer(str(path), purge_step=0)
        found = self._parameters[spec.fingerprint] = parameters(spec)
        rows = [f"| {key} | {value} |" for key, value in found.items()]
        writer.add_text("parameters", "\n".join(["| name | value |", "| --- | --- |", *rows]))
        writer.flush()

    @hookimpl
    def huse_bench_run_measured(
        self, spec: "PlannedRun", step: int, losses: Mapping[str, float], validation: Mapping[str, float]
    ) -> None:
        """Add a point to the curves."""
        writer = self._open[spec.fingerprint]
        for key, value in curve(losses, validation).items():
            writer.add_scalar(key, value, step)
        writer.flush()

    @hookimpl
    def huse_bench_run_finished(self, record: "RunRecord") -> None:
        """Add the final numbers, beside the hyper-parameters that they come from."""
        writer, found = self._open[record.fingerprint], numbers(record)
        plain = {
            key: value if isinstance(value, bool | int | float | str) else str(value)
            for key, value in self._parameters[record.fingerprint].items()
        }
        for summary in self._hyper_parameters(plain, dict.fromkeys(found, 0.0)):
            writer.file_writer.add_summary(summary)
        for key, value in found.items():
            writer.add_scalar(key, value)
        self._close(record.fingerprint, record.status)

    @hookimpl
    def huse_bench_run_failed(self, spec: "PlannedRun", error: BaseException) -> None:
        """Say why there are no numbers."""
        self._close(spec.fingerprint, f"failed: {error}")

    @hookimpl
    def huse_bench_run_stopped(self, spec: "PlannedRun") -> None:
        """Say that another command goes on."""
        self._close(spec.fingerprint, "stopped")

    def _close(self, fingerprint: str, status: str) -> None:
        writer = self._open.pop(fingerprint)
        writer.add_text("status", status)
        writer.close()
