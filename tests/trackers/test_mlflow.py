"""What MLflow itself knows of the runs that it was told of, and that a server that is not there costs nothing."""

import socket

import pytest

pytest.importorskip("mlflow", reason="there is no MLflow: pip install 'huse-bench[mlflow]'")

# SQLAlchemy warns of what MLflow does.
pytestmark = pytest.mark.filterwarnings("ignore:::mlflow", "ignore:::sqlalchemy", "ignore:The ``noload`` loader")

VARIABLES = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "MLFLOW_LOGGING_LEVEL",
    "MLFLOW_DISABLE_TELEMETRY",
)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """The tracker sets what nobody has set; no test may leave that to another."""
    for variable in VARIABLES:
        # Set first, so that it is put back even if it was not there.
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)


@pytest.fixture
def runs_in():
    """The runs that a database holds, by their names, with a client of it."""
    from mlflow import MlflowClient

    def read(path):
        client = MlflowClient(tracking_uri=f"sqlite:///{path}")
        experiments = [each for each in client.search_experiments() if each.name != "Default"]
        found = client.search_runs([each.experiment_id for each in experiments])
        return client, experiments, {each.info.run_name: each for each in found}

    return read


def test_curves_parameters_and_numbers_of_a_run(run, toy, left_by, runs_in):
    run(results="without")
    (record,) = run(results="with", track="mlflow").records
    assert left_by("with") == left_by("without")
    client, (experiment,), runs = runs_in(toy / "with/tracking/mlflow.db")
    assert experiment.name == "huse-bench toy"
    found = runs["huse seed 0"]
    assert found.info.status == "FINISHED"
    assert found.data.tags["huse_bench.fingerprint"] == record.fingerprint
    assert found.data.params["method"] == "huse"
    assert found.data.params["training.steps"] == "40"
    assert {name: found.data.params[name] for name in record.method.parameters} == {
        name: str(value) for name, value in record.method.parameters.items()
    }
    for name, values in record.learning.losses.items():
        points = client.get_metric_history(found.info.run_id, f"loss/{name}")
        assert [point.step for point in points] == list(record.learning.steps)
        assert [point.value for point in points] == pytest.approx(list(values), rel=1e-5)
    assert {name for name in found.data.metrics if name.startswith("validation/")}
    assert found.data.metrics["test/i2t R at 1"] == record.retrieval["i2t"]["R@1"]
    assert found.data.metrics["test/fusion accuracy"] == record.classification.fusion
    # It has folders of its own to be left alone, and none in the working folder.
    assert not (toy / "mlruns").exists()


def test_its_variables_count_and_a_run_that_failed_says_why(run, toy, monkeypatch, runs_in):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{toy / 'own.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    run(["crash"], track="mlflow")
    _, (experiment,), runs = runs_in(toy / "own.db")
    assert experiment.name == "mine"
    assert runs["crash seed 0"].info.status == "FAILED"
    assert runs["crash seed 0"].data.tags["huse_bench.error"] == "oh no"
    assert not (toy / "results/toy/tracking/mlflow.db").exists()


def test_a_server_that_is_not_there_is_a_notice(run, monkeypatch, capfd, left_by):
    run(results="without")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    capfd.readouterr()
    (record,) = run(results="with", track="mlflow").records
    assert record.status == "finished"
    (notice,) = [line for line in capfd.readouterr().err.splitlines() if "mlflow" in line.lower()]
    assert "tracker 'mlflow' of huse-bench" in notice
    assert "failed in huse_bench_run_start and is switched off; the run goes on: MlflowException: " in notice
    assert "Connection refused" in notice
    assert left_by("with") == left_by("without")
