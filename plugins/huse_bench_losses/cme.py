"""CME: Cross-Modal Embeddings (im2recipe, Salvador et al. 2017)."""

from typing import ClassVar

from torch.nn.functional import cross_entropy

from huse_bench import Batch, LogUniform, Loss, Terms, Uniform, kernels
from huse_bench_losses._checks import at_least_zero, share

__all__ = ["CME"]


class CME(Loss):
    """Cosine embedding loss over matching and mismatched pairs, with a classifier for each modality.

    The original draws a mismatched image for a share of the items; here every mismatch of the batch counts,
    with the weight that gives the expectation of that draw. The classifiers are separate, as the HUSE paper
    describes its baseline (section 4.3).

    Args:
        margin: cosine similarity under which a mismatched pair costs nothing.
        mismatch_probability: share of mismatched pairs.
        cosine_weight: weight of the cosine embedding loss.
        class_weight: weight of each modality's classification loss.

    Raises:
        ConfigError: for a negative weight, or a probability outside [0, 1].

    Reference:
        Salvador et al., "Learning Cross-modal Embeddings for Cooking Recipes and Food Images", CVPR 2017, and
        the authors' im2recipe-Pytorch.
    """

    title = "CME"
    section = ""
    position = 2
    heads = "separate"
    space: ClassVar = {
        "margin": Uniform(0.0, 0.5),
        "mismatch_probability": Uniform(0.1, 0.9),
        "class_weight": LogUniform(0.001, 1),
    }

    def __init__(
        self,
        margin: float = 0.1,
        mismatch_probability: float = 0.8,
        cosine_weight: float = 0.98,
        class_weight: float = 0.01,
    ) -> None:
        super().__init__()
        at_least_zero(cosine_weight=cosine_weight, class_weight=class_weight)
        share(mismatch_probability=mismatch_probability)
        self.margin = margin
        self.mismatch_probability = mismatch_probability
        self.cosine_weight = cosine_weight
        self.class_weight = class_weight

    def forward(self, batch: Batch) -> Terms:
        """The terms ``cosine`` and ``classification``."""
        cosine = kernels.cosine_embedding(batch.image, batch.text, self.margin, self.mismatch_probability)
        image = cross_entropy(batch.image_logits, batch.labels)
        text = cross_entropy(batch.text_logits, batch.labels)
        return {"cosine": self.cosine_weight * cosine, "classification": self.class_weight * (image + text)}
