"""What TensorBoard itself reads of the runs that it was told of."""

import pytest

pytest.importorskip("tensorboard", reason="there is no TensorBoard: pip install 'huse-bench[tensorboard]'")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2


def read(folder):
    found = EventAccumulator(str(folder), {"scalars": 0, "tensors": 0})
    found.Reload()
    return found


def text(events, name):
    return events.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0].decode()


def test_curves_parameters_and_numbers_of_a_run(run, toy, left_by):
    run(results="without")
    (record,) = run(results="with", track="tensorboard").records
    assert left_by("with") == left_by("without")
    (folder,) = (toy / "with/tracking/tensorboard").iterdir()
    assert folder.name == f"huse-seed-0-{record.fingerprint[:12]}"
    events = read(folder)
    for name, values in record.learning.losses.items():
        points = events.Scalars(f"loss/{name}")
        assert [point.step for point in points] == list(record.learning.steps)
        assert [point.value for point in points] == pytest.approx(list(values), rel=1e-5)
    for name, values in record.learning.validation.items():
        assert [each.value for each in events.Scalars(f"validation/{name}")] == pytest.approx(list(values), rel=1e-5)
    assert events.Scalars("test/i2t R@1")[0].value == pytest.approx(record.retrieval["i2t"]["R@1"])
    assert events.Scalars("test/fusion accuracy")[0].value == pytest.approx(record.classification.fusion)
    assert f"| fingerprint | {record.fingerprint} |" in text(events, "parameters")
    assert text(events, "status") == "finished"
    started = plugin_data_pb2.HParamsPluginData.FromString(
        events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    )
    found = started.session_start_info.hparams
    assert found["method"].string_value == "huse"
    assert found["training.steps"].number_value == 40
    assert set(record.method.parameters) <= set(found)


def test_a_run_that_is_run_again_is_shown_once(run, toy):
    for _ in range(2):
        run(track="tensorboard", overwrite="always")
    (folder,) = (toy / "results/toy/tracking/tensorboard").iterdir()
    assert [point.step for point in read(folder).Scalars("loss/gap")] == list(range(1, 41))


def test_a_run_that_failed_says_why(run, toy):
    run(["crash"], track="tensorboard")
    (folder,) = (toy / "results/toy/tracking/tensorboard").iterdir()
    assert text(read(folder), "status") == "failed: oh no"
