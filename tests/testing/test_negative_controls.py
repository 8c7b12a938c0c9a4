"""Components with one thing wrong: the kit must reject each, by the check that is about it, and say what to do."""

import json
import math
from typing import ClassVar

import numpy as np
import pytest
import torch

import huse_bench as hb
from huse_bench.errors import ConfigError, ConformanceError
from huse_bench.testing import Report, check_backbone, check_dataset, check_loss, check_tracker, parametrize_with_checks


class Sound(hb.Loss):
    """Mean cosine distance of the two views of an item, and of an item to its class."""

    title = "Sound"
    heads = "shared"
    space = {"weight": hb.LogUniform(0.1, 10)}  # noqa: RUF012

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, batch):
        logits = torch.cat([batch.image_logits, batch.text_logits])
        classification = torch.nn.functional.cross_entropy(logits, batch.row_labels)
        return {"gap": self.weight * (1 - (batch.image * batch.text).sum(1)).mean(), "classification": classification}


class Constant(Sound):
    """Always one."""

    def forward(self, batch):
        return {"one": batch.image.new_ones(())}


class Verbose(Sound):
    __doc__ = "A sentence that goes on " + 80 * "and on " + "."


class Sourced(Sound):
    __doc__ = "Short.\n\nReference:\n    A paper" + 200 * " and one" + "."


class Flipped(Sound):
    """The wrong sign."""

    def forward(self, batch):
        return {name: -value for name, value in super().forward(batch).items()}


class NotANumber(Sound):
    """NaN."""

    def forward(self, batch):
        return {name: value * math.nan for name, value in super().forward(batch).items()}


class Detached(Sound):
    """Stops the gradient of the image tower."""

    def forward(self, batch):
        return {"gap": (1 - (batch.image.detach() * batch.text).sum(1)).mean()}


class HalfDetached(Sound):
    """A gradient that is only a part of the slope."""

    def forward(self, batch):
        return {"gap": ((batch.image - batch.text) ** 2).mean() + ((batch.image - batch.text.detach()) ** 2).mean()}


class Mutating(Sound):
    """Changes the embeddings that it was lent."""

    def forward(self, batch):
        with torch.no_grad():
            batch.image.mul_(2)
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}


class Standardised(Sound):
    """Normalises over the batch."""

    def forward(self, batch):
        image, text = ((rows - rows.mean(0)) / rows.std(0) for rows in (batch.image, batch.text))
        return {"gap": ((image - text) ** 2).mean()}


class Ordered(Sound):
    """Pairs each item with the next."""

    def forward(self, batch):
        return {"gap": (1 - (batch.image * batch.text.roll(1, 0)).sum(1)).mean()}


class Tiled(Sound):
    """A softmax over the pairs of a tile, not over those of the batch."""

    def forward(self, batch):
        tiles = [rows @ batch.text.T for rows in batch.image.split(512)]
        return {"push": torch.stack([tile.flatten().logsumexp(0) for tile in tiles]).mean() - batch.image.mean()}


class TileGradient(Sound):
    """The value is that of all pairs, the gradient that of the first tile."""

    def forward(self, batch):
        similar = batch.image @ batch.text.T
        first = (similar[:512] ** 2).mean()
        return {"push": first + ((similar**2).mean() - first).detach()}


class Diagonal(Sound):
    """Compares pairs with what stands on the diagonal of their tile."""

    def forward(self, batch):
        def hinge(pairs):
            return (0.2 + pairs.distance.diagonal()[:, None] - pairs.distance).relu()

        return {"push": hb.kernels.pairwise_loss(hinge, batch.image, batch.text, labels=batch.labels)}


class Vector(Sound):
    """One value an item."""

    def forward(self, batch):
        return {"gap": 1 - (batch.image * batch.text).sum(1)}


class Bare(Sound):
    """No dict."""

    def forward(self, batch):
        return (1 - (batch.image * batch.text).sum(1)).mean()


class Greedy(Sound):
    """Uses the class graph without saying so."""

    def forward(self, batch):
        return {"graph": batch.classes.distances.mean() * batch.image.mean()}


class OtherRandom(Sound):
    """Draws from numpy's generator."""

    def forward(self, batch):
        return {"gap": np.random.default_rng().random() * super().forward(batch)["gap"]}


class Single(Sound):
    """Makes float32 of everything."""

    def forward(self, batch):
        return {"gap": super().forward(batch)["gap"].float()}


class WrongSpace(Sound):
    """Its tuning space is about an argument that it does not have."""

    space = {"wait": hb.Uniform(0, 1)}  # noqa: RUF012


class RefusedSpace(Sound):
    """Its tuning space holds what it refuses."""

    space = {"weight": hb.Uniform(-1, 1)}  # noqa: RUF012

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)
        if weight < 0:
            raise ConfigError("weight must be at least 0")


class Needy(Sound):
    """Cannot be built by its name."""

    def __init__(self, weight) -> None:
        super().__init__(weight)


class Undocumented(Sound):
    pass


Undocumented.__doc__ = None


class Untitled(Sound):
    """No title."""

    title = ""


class Weightless(Sound):
    """Heads that start at nothing."""

    head_scale = 0.0


class Headless(hb.Loss):
    """Declares the rate of heads that it has not."""

    title = "Headless"
    head_rate = 10.0

    def forward(self, batch):
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}


class Forgetful(Sound):
    """Learns a number that no copy has."""

    def __init__(self) -> None:
        super().__init__()
        self.learned = [torch.rand(())]

    def forward(self, batch):
        return {"gap": self.learned[0] * super().forward(batch)["gap"]}


class ZeroLength(Sound):
    """Divides by a length that may be zero."""

    def forward(self, batch):
        unit = batch.image / batch.image.norm(dim=1, keepdim=True)
        return {"gap": (1 - (unit * batch.text).sum(1)).mean()}


class OneClass(Sound):
    """A mean over negatives, of which there may be none."""

    def forward(self, batch):
        negative = batch.labels[:, None] != batch.labels[None, :]
        return {"push": (batch.image @ batch.text.T)[negative].mean()}


class GreedyVariance(Sound):
    """Uses variances without saying so."""

    def forward(self, batch):
        return super().forward(batch) | {"variance": batch.image_log_variance.mean()}


class GreedyTree(Sound):
    """Uses the tree of the taxonomy, and declares the graph of the names."""

    semantic = True

    def forward(self, batch):
        return super().forward(batch) | {"tree": batch.classes.paths.double().mean() * batch.image.mean()}


class IdleTaxonomy(Sound):
    """Says what the class graph is made of, and uses none."""

    class_graph = "taxonomy"


class VarianceOfNothing(Sound):
    """A sum of variances that has no logarithm."""

    initial_variance = 0.0


class Blurred(hb.Loss):
    """Distance of normal distributions; ranks by it. Sound."""

    title = "Blurred"
    initial_variance = 0.1
    similarity = "blurred/v1"
    semantic = True
    class_graph = "taxonomy"

    def forward(self, batch):
        shared = (batch.classes.paths[batch.labels][:, None] == batch.classes.paths[batch.labels]).double().mean(-1)
        near = shared.to(batch.image) + batch.classes.heights[batch.labels][:, batch.labels].eq(0)
        spread = batch.image_log_variance.exp().sum(1)[:, None] + batch.text_log_variance.exp().sum(1)
        matches = 4 - 4 * (2 - 2 * batch.image @ batch.text.T + spread)
        return {"match": torch.nn.functional.binary_cross_entropy_with_logits(matches, near / 2)}

    def ranking_rows(self, view):
        spread = view.log_variance.exp().sum(1, keepdim=True)
        return torch.cat([view.rows, torch.ones_like(spread)], 1), torch.cat([view.rows, -spread / 2], 1)


class GreedyRanking(Sound):
    """Ranks by variances without saying that it wants them."""

    similarity = "blurred/v1"

    def ranking_rows(self, view):
        return view.rows, view.log_variance


class Sharp(Blurred):
    """Leaves the texts' variances unused."""

    def forward(self, batch):
        still = hb.Batch(
            batch.image, batch.text, batch.labels, classes=batch.classes,
            image_log_variance=batch.image_log_variance, text_log_variance=batch.text_log_variance.detach(),
        )  # fmt: skip
        return super().forward(still)


class BlurredMutating(Blurred):
    """Changes the variances that it was lent."""

    def forward(self, batch):
        with torch.no_grad():
            batch.text_log_variance.add_(1)
        return super().forward(batch)


class BlurredSlope(Blurred):
    """A gradient for the variances that is not all of the slope."""

    def forward(self, batch):
        return super().forward(batch) | {"prior": batch.image_log_variance.detach().square().mean()}


class BlurredOrder(Blurred):
    """The slope for a variance depends on where the item stands, the value does not."""

    def forward(self, batch):
        first = batch.image_log_variance[0].mean()
        return super().forward(batch) | {"first": first - first.detach()}


class BlurredInfinite(Blurred):
    """A gradient for the variances that is NaN."""

    def forward(self, batch):
        return super().forward(batch) | {"root": (batch.image_log_variance * 0).sqrt().sum()}


class UnnamedSimilarity(Blurred):
    """Ranking rows, and no word of what they rank by."""

    similarity = "cosine"


class UnversionedSimilarity(Blurred):
    """A similarity whose next version could not be told from it."""

    similarity = "blurred"


class RowlessSimilarity(Sound):
    """Another similarity, and no rows for it."""

    similarity = "lorentz/v1"


class Centred(Blurred):
    """Ranks by what the items have less than their mean."""

    def ranking_rows(self, view):
        return super().ranking_rows(hb.View(view.modality, view.rows - view.rows.mean(0), view.log_variance))


class NextItem(Blurred):
    """Gives each gallery item the row of the next."""

    def ranking_rows(self, view):
        queries, gallery = super().ranking_rows(view)
        return queries, gallery.roll(1, 0)


class RandomRanking(Blurred):
    """Ranks by chance."""

    def ranking_rows(self, view):
        return super().ranking_rows(hb.View(view.modality, torch.randn_like(view.rows), view.log_variance))


class FlippedRanking(Blurred):
    """Ranks the farthest first."""

    def ranking_rows(self, view):
        queries, gallery = super().ranking_rows(view)
        return queries, -gallery


class ZeroRanking(Blurred):
    """Divides by a length that may be zero, in one of the rows."""

    def ranking_rows(self, view):
        queries, gallery = super().ranking_rows(view)
        return queries, gallery / view.rows.norm(dim=1, keepdim=True)


class OverflowingRanking(Blurred):
    """Rows that are finite for unit embeddings, where it asks for others."""

    unit_rows = False

    def ranking_rows(self, view):
        queries, gallery = super().ranking_rows(view)
        return queries.exp() ** 20, gallery


class TwoWidths(Blurred):
    """Rows of images that have no product with those of texts."""

    def ranking_rows(self, view):
        queries, gallery = super().ranking_rows(view)
        return (queries[:, 1:], gallery[:, 1:]) if view.modality == "image" else (queries, gallery)


class OneSided(Blurred):
    """Query rows that have no product with its gallery rows."""

    def ranking_rows(self, view):
        queries, gallery = super().ranking_rows(view)
        return queries[:, 1:], gallery


class BareRanking(Blurred):
    """One tensor."""

    def ranking_rows(self, view):
        return view.rows


class PooledRanking(Blurred):
    """One row for all items."""

    def ranking_rows(self, view):
        queries, gallery = super().ranking_rows(view)
        return queries, gallery.mean(0, keepdim=True)


class MutatingRanking(Blurred):
    """Changes the embeddings that it was lent."""

    def ranking_rows(self, view):
        return super().ranking_rows(hb.View(view.modality, view.rows.mul_(2), view.log_variance))


class LearningRanking(Blurred):
    """Goes on learning in the evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def ranking_rows(self, view):
        self.seen += len(view.rows)
        return super().ranking_rows(view)


def report(cls) -> Report:
    with pytest.raises(ConformanceError) as caught:
        check_loss(cls, strict=True)
    return str(caught.value)


def test_a_sound_loss_passes():
    passed = check_loss(Sound, strict=True)
    assert passed.passed
    assert str(passed).splitlines()[-1] == "Sound: ran 19, skipped 5, expected-fail 0, failed 0"


def test_a_sound_loss_with_variances_and_a_similarity_of_its_own_passes():
    passed = check_loss(Blurred, strict=True)
    assert passed.passed
    # It has no tuning space and takes unit rows.
    assert str(passed).splitlines()[-1] == "Blurred: ran 22, skipped 2, expected-fail 0, failed 0"


@pytest.mark.parametrize(
    ("cls", "check", "teaches"),
    [
        (Constant, "reaches_both_towers", "it does not depend on the embeddings, or they were detached"),
        (Flipped, "learns", "is a sign the wrong way round"),
        (NotANumber, "finite", "its value is nan on random unit rows"),
        (Detached, "reaches_both_towers", "no gradient reaches the image tower"),
        (HalfDetached, "gradient_is_the_slope", "part of the value is detached"),
        (Mutating, "leaves_its_input", "it changes batch.image in place"),
        (Standardised, "finite_on_one_item", "a statistic over the batch"),
        (Ordered, "ignores_the_order", "the order of a batch carries no meaning"),
        (Tiled, "ignores_the_order", "the same batch of 700 items in another order gives"),
        (TileGradient, "ignores_the_order", "items in another order gives another gradient for image"),
        (
            Diagonal,
            "named_scalars",
            "the function is not elementwise: it fails on (12, 11) of its pairs and not of all",
        ),
        (Vector, "named_scalars", "the term 'gap' of Vector has shape (12,): take the mean"),
        (Bare, "named_scalars", "must return a dict of named scalar tensors"),
        (Greedy, "uses_what_it_declares", "the loss class must declare semantic = True"),
        (OtherRandom, "deterministic", "draw random numbers from torch's generator"),
        (Single, "in_float64", "make new tensors with the rows' dtype"),
        (WrongSpace, "space_fits", "space has 'wait', which is no argument of the constructor (weight)"),
        (RefusedSpace, "space_fits", "which the constructor refuses: weight must be at least 0"),
        (Needy, "builds_from_defaults", "weight of the constructor has no default"),
        (Undocumented, "documented", "the class has no docstring"),
        (Verbose, "documented", "first sentence of the docstring has more than 300 characters"),
        (Sourced, "documented", "reference has more than 600 characters"),
        (Untitled, "declares", "it has no title for the tables"),
        (Weightless, "declares", "head_scale = 0.0: it must be a number above 0"),
        (Headless, "declares", "head_rate is about heads, and the loss declares none"),
        (Forgetful, "copies", "keep learned tensors as torch.nn.Parameter"),
        (ZeroLength, "finite_on_zero_rows", "divide by lengths with an epsilon"),
        (OneClass, "finite_on_one_class", "a mean over none of them is NaN"),
        (GreedyVariance, "uses_what_it_declares", "the loss class must declare initial_variance = 0.1 (or another"),
        (GreedyTree, "uses_what_it_declares", 'the loss class must declare class_graph = "taxonomy"'),
        (IdleTaxonomy, "declares", "and the loss uses none: set semantic = True"),
        (VarianceOfNothing, "declares", "initial_variance = 0.0: it must be a number above 0"),
        (Sharp, "uses_the_variances_it_declares", "no gradient reaches batch.text_log_variance"),
        (BlurredMutating, "leaves_its_input", "it changes batch.text_log_variance in place"),
        (BlurredSlope, "gradient_is_the_slope", "part of the value is detached"),
        (BlurredOrder, "ignores_the_order", "in another order gives another gradient for image_log_variance"),
        (BlurredInfinite, "finite", "its gradient for image_log_variance is not finite on random unit rows"),
        (UnnamedSimilarity, "declares", 'the class must declare what they rank by, such as similarity = "lorentz/v1"'),
        (UnversionedSimilarity, "declares", "it must be a name and a version for the protocol id"),
        (RowlessSimilarity, "declares", "the class must define ranking_rows"),
        (GreedyRanking, "ranks_by_rows", "this view has no log_variance: the loss class must declare initial_variance"),
        (Centred, "ranks_each_item_by_itself", "make each row of its own item alone"),
        (NextItem, "ranks_each_item_by_itself", "of image rows depends on the items given with them or on their order"),
        (RandomRanking, "ranks_each_item_by_itself", "or random numbers"),
        (FlippedRanking, "learns", "R@1 of image to image is"),
        (ZeroRanking, "ranks_by_rows", "gives the gallery row 0 a NaN or infinite value"),
        (OverflowingRanking, "ranks_by_rows", "gives the query row"),
        (TwoWidths, "ranks_by_rows", "gives image rows of length 6 and text rows of length 7"),
        (OneSided, "ranks_by_rows", "query and gallery rows alike, got (12, 6) torch.float32 and (12, 7)"),
        (BareRanking, "ranks_by_rows", "BareRanking.ranking_rows must return a tuple of two tensors"),
        (PooledRanking, "ranks_by_rows", "must give (12, M) gallery rows in float32 or float64, one for each item"),
        (MutatingRanking, "ranking_leaves_all_as_it_is", "ranking_rows changes the image rows in place"),
        (LearningRanking, "ranking_leaves_all_as_it_is", "ranking_rows changes seen of the loss"),
    ],
)
def test_each_fault_is_found_by_the_check_that_is_about_it(cls, check, teaches):
    lines = " ".join(report(cls).split())
    assert f"failed {check}" in lines
    assert teaches in lines


def test_announced_failures_are_no_failures_and_must_still_fail():
    known = {"finite_on_one_item": "it standardises the batch", "finite_on_one_class": "so few items"}
    with pytest.raises(ConformanceError, match=r"finite_on_one_class\s+it passes, but was expected to fail"):
        check_loss(Standardised, expected_failed=known)
    del known["finite_on_one_class"]
    passed = check_loss(Standardised, expected_failed=known)
    assert passed.count("expected-fail") == 1
    assert passed.passed


def test_an_announcement_of_no_check_is_refused():
    with pytest.raises(ConfigError, match="expected_failed names 'finit', which is none of the checks: declares, "):
        check_loss(Sound, expected_failed={"finit": "a typing error"})
    with pytest.raises(ConfigError, match="expected_failed names 'finit'"):
        parametrize_with_checks([Sound], expected_failed={"finit": "a typing error"})


def test_nothing_run_is_no_pass():
    empty = Report("Nothing", ())
    assert not empty.passed
    assert "Nothing was checked, which is no pass." in str(empty)
    with pytest.raises(ConfigError, match="there are no components to check"):
        parametrize_with_checks([])


def test_the_report_as_json():
    content = json.loads(check_loss(Sound).as_json())
    assert content["counts"] == {"passed": 15, "failed": 0, "skipped": 5, "expected-fail": 0}
    assert content["checks"][0] == {"check": "declares", "group": "api", "status": "passed", "message": ""}


@parametrize_with_checks([Standardised], expected_failed={"finite_on_one_item": "it standardises the batch"})
def test_parametrised(check):
    check()


class Colours(hb.ImageBackbone):
    """Mean colours."""

    title = "Mean colours"
    revision = "1"
    dim = 3

    def preprocess(self, image):
        return np.asarray(image.resize((8, 8)), dtype=np.float32).transpose(2, 0, 1) + 1

    def encode_pixels(self, pixels):
        return pixels.mean(axis=(2, 3))


class BatchColours(Colours):
    """Depends on the batch."""

    def encode_pixels(self, pixels):
        return pixels.mean(axis=(2, 3)) + pixels.mean()


class NoisyColours(Colours):
    """Random."""

    def encode_pixels(self, pixels):
        return pixels.mean(axis=(2, 3)) + np.random.default_rng().random(3).astype("float32")


class Unpicklable(Colours):
    """Holds a function that cannot be sent to another process."""

    def __init__(self) -> None:
        self.model = lambda x: x


class Alike(Colours):
    """All pictures are one."""

    def encode_pixels(self, pixels):
        return np.ones((len(pixels), 3), dtype=np.float32)


class Wide(Colours):
    """Another dimension than it says."""

    dim = 4


class Coarse(Colours):
    """Another thing in another precision."""

    precisions = ("float32", "bfloat16")

    def encode_pixels(self, pixels):
        made = super().encode_pixels(pixels)
        return made if self.precision == "float32" else made * np.array([1, 2, 1], dtype=np.float32)


class Halved(Coarse):
    """Gives another precision as it is."""

    def encode_pixels(self, pixels):
        made = pixels.mean(axis=(2, 3))
        return made if self.precision == "float32" else made.astype(np.float16)


class Words(hb.TextBackbone):
    """Counts of letters."""

    title = "Letters"
    revision = "1"
    dim = 2

    def encode(self, texts):
        return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)


@pytest.mark.parametrize(
    ("cls", "check", "teaches"),
    [
        (BatchColours, "independent_of_the_batch", "depend on the items encoded with it"),
        (NoisyColours, "deterministic", "switch dropout off"),
        (Unpicklable, "preprocesses_in_other_processes", "read weights at the first use"),
        (Alike, "tells_items_apart", "different items have equal features"),
        (Wide, "shape_and_type", "must give float32 features of shape (4, 4), got float32 of shape (4, 3)"),
        (Coarse, "close_in_other_precisions", "keep the parts in float32 that lose most"),
        (Halved, "close_in_other_precisions", "must be float32 too, got float16"),
        (Words, "finite_and_not_zero", "an empty text needs some too"),
    ],
)
def test_faulty_backbones(cls, check, teaches):
    with pytest.raises(ConformanceError) as caught:
        check_backbone(cls)
    lines = " ".join(str(caught.value).split())
    assert f"failed {check}" in lines
    assert teaches in lines


def test_a_sound_backbone_passes():
    assert check_backbone(Colours).passed


class Points(hb.Dataset):
    """Two classes of points."""

    title = "Points"

    def load(self):
        rng = np.random.default_rng(0)
        rows = hb.Features(rng.normal(size=(20, 3)).astype("float32"), "points@1")
        return hb.Items(
            ids=[str(number) for number in range(20)],
            labels=np.arange(20) % 2,
            splits=np.array(["train"] * 12 + ["validation"] * 4 + ["test"] * 4),
            class_names=["a", "b"],
            taxonomy=hb.Taxonomy.from_edges([("r", "a"), ("r", "b")], ["a", "b"]),
            image_features=rows,
            text_features=rows,
        )


class Twice(Points):
    """Gives an id twice."""

    def load(self):
        items = super().load()
        return hb.Items(**{**vars(items), "ids": ["0", *items.ids[:-1]]})


class Restless(Points):
    """Another split each time."""

    def load(self):
        items = super().load()
        return hb.Items(**{**vars(items), "labels": np.random.default_rng().permutation(items.labels)})


class Textless(Points):
    """No texts."""

    def load(self):
        return hb.Items(**{**vars(super().load()), "text_features": None})


class NoSuchBackbone(Points):
    """Names a backbone that nobody has."""

    backbones = {"image": "no-such-backbone"}  # noqa: RUF012


class Unlicensed(Points):
    """Says that there is no licence by no text."""

    licence = None


class Talkative(Points):
    """Says whether texts may be published in words."""

    def load(self):
        return hb.Items(**{**vars(super().load()), "publish_texts": "no"})


class Showy(Points):
    """Says that pictures may be published by a number."""

    publish_pictures = 1


class Drawn(Points):
    """Gives thumbnails that are none."""

    thumbnails: ClassVar = {"0": b"<svg/>"}

    def load(self):
        return hb.Items(**{**vars(super().load()), "thumbnails": self.thumbnails})


class DrawnElsewhere(Drawn):
    """Gives a thumbnail of no item."""

    thumbnails: ClassVar = {"nobody": b""}


@pytest.mark.parametrize(
    ("cls", "check", "teaches"),
    [
        (Drawn, "thumbnails_are_small", "the thumbnail of '0' is neither a PNG nor a WebP picture"),
        (DrawnElsewhere, "thumbnails_are_small", "1 thumbnails are of no item, such as that of 'nobody'"),
        (Unlicensed, "describes_itself", "it has the licence None: give a text, empty for none"),
        (Talkative, "describes_itself", "publish_texts is 'no': say True where results may show the texts, else False"),
        (Showy, "describes_itself", "publish_pictures is 1: say True where results may show the pictures, else False"),
        (Twice, "keeps_the_rules", "the id '0' is given to two items"),
        (Restless, "deterministic", "loading twice gives other labels"),
        (Textless, "has_items", "it brings neither texts nor text features"),
        (NoSuchBackbone, "backbones_exist", "no backbone is named 'no-such-backbone'"),
    ],
)
def test_faulty_datasets(cls, check, teaches):
    with pytest.raises(ConformanceError) as caught:
        check_dataset(cls)
    lines = " ".join(str(caught.value).split())
    assert f"failed {check}" in lines
    assert teaches in lines


def test_a_sound_dataset_passes():
    assert check_dataset(Points).passed


class Tracker:
    """Counts the points of a curve."""

    def __init__(self):
        self.points = 0

    @hb.hookimpl
    def huse_bench_run_measured(self, step, losses):  # noqa: ARG002 - a tracker may take fewer arguments
        self.points += 1

    @hb.hookimpl(specname="huse_bench_run_finished")
    @staticmethod
    def end(record):
        pass


class Hookless:
    """Forgot the marks."""

    def huse_bench_run_start(self, spec):
        pass


class Misspelt(Tracker):
    """Waits for a hook that there is not."""

    @hb.hookimpl
    def huse_bench_run_began(self, spec):
        pass


class Curious(Tracker):
    """Asks for what it is not told."""

    @hb.hookimpl
    def huse_bench_run_start(self, spec, record):
        pass


class Configuring(Tracker):
    """Waits for what only hook plugins are told."""

    @hb.hookimpl
    def huse_bench_configure(self, config):
        pass


class Awaited(Tracker):
    """Leaves a coroutine that nobody awaits."""

    @hb.hookimpl
    async def huse_bench_run_start(self, spec):
        pass


class Yielding(Tracker):
    """Leaves a generator that nobody goes through."""

    @hb.hookimpl
    def huse_bench_run_start(self):
        yield


class Named(Tracker):
    """Needs an argument by name."""

    @hb.hookimpl
    def huse_bench_run_start(self, spec, *, project):
        pass


class Asking(Tracker):
    """Needs an argument to begin."""

    def __init__(self, server):
        self.server = server


@pytest.mark.parametrize(
    ("cls", "check", "teaches"),
    [
        (Hookless, "declares", "it implements no hook; its functions must be marked with @huse_bench.hookimpl"),
        (Misspelt, "declares", "huse_bench_run_began is no hook of this huse-bench"),
        (Curious, "declares", "{'record'} are declared in the hookimpl but can not be found in the hookspec"),
        (Configuring, "told_of_runs", "no tracker is called for huse_bench_configure: put this into a hook plugin"),
        (Awaited, "can_be_called", "huse_bench_run_start is called and its result is dropped"),
        (Yielding, "can_be_called", "huse_bench_run_start is called and its result is dropped"),
        (Named, "can_be_called", "huse_bench_run_start is called by position, and 'project' can be given by name"),
        (Asking, "begins", "missing 1 required positional argument: 'server'"),
    ],
)
def test_faulty_trackers(cls, check, teaches):
    with pytest.raises(ConformanceError) as caught:
        check_tracker(cls)
    lines = " ".join(str(caught.value).split())
    assert f"failed {check}" in lines
    assert teaches in lines


def test_a_sound_tracker_passes():
    assert check_tracker(Tracker).count("passed") == 4


@parametrize_with_checks([Tracker])
def test_the_checks_of_a_tracker_one_by_one(check):
    check()


def test_what_is_no_component_is_told_from_a_tracker():
    with pytest.raises(ConfigError, match=r"is no class derived from huse_bench.Loss, .*, and none with hooks"):
        parametrize_with_checks([dict])
