"""Weights & Biases: files in the results folder, for ``wandb sync``, or its server where ``WANDB_MODE`` says so."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from huse_bench import hookimpl
from huse_bench_backbones._extras import require
from huse_bench_trackers._facts import curve, folder, name, numbers, parameters

if TYPE_CHECKING:
    from huse_bench.discovery.hookspecs import PlannedRun
    from huse_bench.results import RunRecord

__all__ = ["WeightsAndBiases"]

# A server that does not answer must not hold up the runs: seconds to begin one, and to wait for what is not sent yet.
_BEGIN_SECONDS, _END_SECONDS = 20, 60


class WeightsAndBiases:
    """Logs each run, offline into ``tracking/wandb`` of the results folder unless ``WANDB_MODE`` says otherwise.

    What its other environment variables say counts too, among them ``WANDB_PROJECT``.
    """

    def __init__(self) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        self._wandb = require("wandb", "Weights & Biases", "wandb", "wandb")
        self._open: dict[str, Any] = {}

    @hookimpl
    def huse_bench_run_start(self, spec: "PlannedRun") -> None:
        """Begin a run with its parameters."""
        self._open[spec.fingerprint] = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "huse-bench",
            group=spec.config.folder_name,
            name=name(spec),
            config=parameters(spec),
            dir=str(folder(spec)),
            mode=os.environ.get("WANDB_MODE") or "offline",
            # Several may be under way, where workers do them.
            reinit="create_new",
            settings=self._wandb.Settings(
                console="off",
                silent=True,
                init_timeout=_BEGIN_SECONDS,
                finish_timeout=_END_SECONDS,
            ),
        )

    @hookimpl
    def huse_bench_run_measured(
        self, spec: "PlannedRun", step: int, losses: Mapping[str, float], validation: Mapping[str, float]
    ) -> None:
        """Add a point to the curves."""
        self._open[spec.fingerprint].log(curve(losses, validation), step=step)

    @hookimpl
    def huse_bench_run_finished(self, record: "RunRecord") -> None:
        """Add the final numbers."""
        run = self._open.pop(record.fingerprint)
        run.summary.update({**numbers(record), "status": record.status})
        run.finish(exit_code=0)

    @hookimpl
    def huse_bench_run_failed(self, spec: "PlannedRun", error: BaseException) -> None:
        """Say why there are no numbers."""
        self._end(spec.fingerprint, {"status": "failed", "error": str(error)})

    @hookimpl
    def huse_bench_run_stopped(self, spec: "PlannedRun") -> None:
        """Say that it ends here; the command that goes on begins another, with the whole curve."""
        self._end(spec.fingerprint, {"status": "stopped"})

    def _end(self, fingerprint: str, said: Mapping[str, str]) -> None:
        run = self._open.pop(fingerprint)
        run.summary.update(said)
        run.finish(exit_code=1)
