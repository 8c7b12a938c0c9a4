"""MLflow: a database in the results folder, or the server that ``MLFLOW_TRACKING_URI`` names."""

import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from huse_bench import hookimpl
from huse_bench_backbones._extras import require
from huse_bench_trackers._facts import curve, folder, name, numbers, parameters

if TYPE_CHECKING:
    from huse_bench.discovery.hookspecs import PlannedRun
    from huse_bench.results import RunRecord

__all__ = ["MLflow"]

# MLflow's own patience with a server that does not answer is minutes for each call, and the run would wait.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}

# It tells of its migrations of a new database, and its makers of its use, where nobody asked for either.
_SILENCE = {"MLFLOW_LOGGING_LEVEL": "WARNING", "MLFLOW_DISABLE_TELEMETRY": "true"}

# What its names may hold; R@1 becomes R at 1.
_FORBIDDEN = re.compile(r"[^\w\-. :/]")

# It takes so many parameters at once, and their values so long.
_MOST_PARAMETERS, _LONGEST = 100, 500


class MLflow:
    """Logs each run as one of an experiment that is called after the dataset and its regime.

    What MLflow's environment variables say counts, among them ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_NAME``.
    Otherwise it is ``tracking/mlflow.db`` in the results folder, for ``mlflow ui --backend-store-uri sqlite:///...``.
    """

    def __init__(self) -> None:
        for variable, value in (_PATIENCE | _SILENCE).items():
            os.environ.setdefault(variable, value)
        package = ("MLflow", "mlflow", "mlflow-skinny")
        for needed in ("sqlalchemy", "alembic"):
            require(needed, "MLflow", "mlflow", needed)
        self._mlflow = require("mlflow", *package)
        self._entities = require("mlflow.entities", *package)
        self._clients: dict[str, Any] = {}
        self._open: dict[str, tuple[Any, str]] = {}

    @hookimpl
    def huse_bench_run_start(self, spec: "PlannedRun") -> None:
        """Begin a run with its parameters."""
        client = self._client(spec)
        title = os.environ.get("MLFLOW_EXPERIMENT_NAME") or f"huse-bench {spec.config.folder_name}"
        known = client.get_experiment_by_name(title)
        experiment = client.create_experiment(title) if known is None else known.experiment_id
        tags = {"huse_bench.fingerprint": spec.fingerprint, "huse_bench.configuration": spec.configuration}
        run = client.create_run(experiment, run_name=name(spec), tags=tags).info.run_id
        self._open[spec.fingerprint] = client, run
        found = [
            self._entities.Param(_FORBIDDEN.sub(" ", key), str(value)[:_LONGEST])
            for key, value in parameters(spec).items()
        ]
        for start in range(0, len(found), _MOST_PARAMETERS):
            client.log_batch(run, params=found[start : start + _MOST_PARAMETERS])

    @hookimpl
    def huse_bench_run_measured(
        self, spec: "PlannedRun", step: int, losses: Mapping[str, float], validation: Mapping[str, float]
    ) -> None:
        """Add a point to the curves."""
        self._log(spec.fingerprint, curve(losses, validation), step)

    @hookimpl
    def huse_bench_run_finished(self, record: "RunRecord") -> None:
        """Add the final numbers."""
        steps = 0 if record.training is None else record.training.steps
        self._log(record.fingerprint, numbers(record), steps)
        self._end(record.fingerprint, "FINISHED")

    @hookimpl
    def huse_bench_run_failed(self, spec: "PlannedRun", error: BaseException) -> None:
        """Say why there are no numbers."""
        client, run = self._open[spec.fingerprint]
        client.set_tag(run, "huse_bench.error", str(error)[:_LONGEST])
        self._end(spec.fingerprint, "FAILED")

    @hookimpl
    def huse_bench_run_stopped(self, spec: "PlannedRun") -> None:
        """Say that it ends here; the command that goes on begins another, with the whole curve."""
        self._end(spec.fingerprint, "KILLED")

    def _client(self, spec: "PlannedRun") -> Any:
        own = f"sqlite:///{(folder(spec) / 'mlflow.db').as_posix()}"
        place = self._mlflow.get_tracking_uri() if self._mlflow.is_tracking_uri_set() else own
        if place not in self._clients:
            self._clients[place] = self._mlflow.MlflowClient(tracking_uri=place)
        return self._clients[place]

    def _log(self, fingerprint: str, values: Mapping[str, float], step: int) -> None:
        client, run = self._open[fingerprint]
        now = int(time.time() * 1000)
        names = {key: _FORBIDDEN.sub(" at ", key) for key in values}
        client.log_batch(run, [self._entities.Metric(names[key], value, now, step) for key, value in values.items()])

    def _end(self, fingerprint: str, status: str) -> None:
        client, run = self._open.pop(fingerprint)
        client.set_terminated(run, status)
