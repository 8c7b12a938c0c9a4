"""Real runs leave behind what every number of their tables is recomputed from."""

import numpy as np
import pytest

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.progress import Reporter
from huse_bench.report import render
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.embedded import embed
from huse_bench.runs.experiment import run_experiment
from huse_bench.runs.methods import resolve_methods


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("hp", ["devise", "barz"])
def test_every_number_of_the_tables_is_recomputed_from_the_store(quick_training, hp):
    hb.run(["huse", "triplet"], "toy", seeds=2, training=quick_training, quiet=True)
    results = hb.load_results("results/toy", hp)
    tables = results.tables()
    numbers = 0
    for row in results.rows:
        assert len(row.finished) == 2
        for name, layout in results.layout.items():
            for column in layout:
                scores = []
                for record in row.finished:
                    if name == "table3":
                        items = results.predictions(record)
                        right = items.get(f"{column.task}_prediction", np.full(32, np.nan)) == items["label"]
                        scores.append(right.mean() if record.classification else np.nan)
                        continue
                    counts = results.per_query(record)[column.task]
                    kind, k = column.metric.split("@")
                    if kind == "R":
                        # The rank of the first hit says it, and so does the number of hits.
                        found = (counts["first_hit"] > 0) & (counts["first_hit"] <= int(k))
                        np.testing.assert_array_equal(found, counts[f"hits@{k}"] > 0)
                        scores.append(found.mean())
                    elif kind == "BHP":
                        scores.append(np.mean(counts[f"similarity@{k}"] / counts[f"ideal@{k}"]))
                    elif k == "2":
                        scores.append(counts[f"hp@{k}"].mean() / int(k))
                    else:
                        # All four classes of the toys are within five hops: no ranking can miss.
                        assert (counts[f"hp@{k}"] == int(k)).all()
                        scores.append(np.nan)
                number = tables[name].loc[row.label, column.heading]
                np.testing.assert_allclose(number, np.mean(scores), atol=1e-12)
                numbers += not np.isnan(number)
    assert numbers == 24 + (8 if hp == "devise" else 24) + 3
    assert "±: 95 % interval over seeds and queries." in render(results)


@pytest.mark.usefixtures("toy")
def test_confidences_are_the_largest_softmax_scores(quick_training):
    config = resolve_config(None, {"dataset": "toy", "methods": ["huse"], "training": quick_training})
    (huse,) = resolve_methods(config)
    _, data = make_ready(load(config), config, Reporter(quiet=True))
    outcome = run_experiment(huse, data, config.training, 0)
    found = outcome.classification
    test = embed(outcome.model, outcome.loss, data.splits["test"])
    shares = {}
    for name, logits in (("image", test.image_logits), ("text", test.text_logits)):
        powers = np.exp(logits.double().numpy() / getattr(found.fitted, f"{name}_temperature"))
        shares[name] = powers / powers.sum(axis=1, keepdims=True)
    shares["fusion"] = found.fitted.weight * shares["image"] + (1 - found.fitted.weight) * shares["text"]
    for name, share in shares.items():
        np.testing.assert_allclose(found.confidences[name], share.max(axis=1))
        chosen = share[np.arange(len(share)), found.predictions[name]]
        np.testing.assert_allclose(found.confidences[name], chosen)

    results = hb.run(["huse"], "toy", training=quick_training, quiet=True)
    recorded = results.records[0].classification
    assert recorded.fusion_weight == found.fitted.weight
    assert recorded.image_temperature == found.fitted.image_temperature
    assert recorded.text_temperature == found.fitted.text_temperature
    stored = results.predictions(results.records[0])
    assert list(stored) == [
        "label",
        "group",
        *(f"{name}_{what}" for what in ("prediction", "confidence") for name in shares),
    ]
    for name in shares:
        assert stored[f"{name}_confidence"].dtype == np.float32
        np.testing.assert_allclose(stored[f"{name}_confidence"], found.confidences[name], atol=1e-6)
