"""AdaMine: a double triplet loss with adaptive mining (Carvalho et al. 2018)."""

from typing import ClassVar, Literal

from huse_bench import Batch, LogUniform, Loss, Terms, kernels
from huse_bench_losses._checks import at_least_zero, one_of

__all__ = ["AdaMine"]


class AdaMine(Loss):
    """Triplets between instances and triplets between classes, each averaged over its informative triplets.

    As released by its authors: the mean of four terms (two levels, two query modalities), the semantic ones
    weighted. Another item of one's own class is a negative at the instance level.

    Args:
        margin: by how much a negative should be farther than the positive, as a cosine distance.
        semantic_weight: lambda, the weight of the two semantic terms.
        semantic_pairs: the released rule takes the ``"first"`` other item of the class as the positive and
            equally many negatives for each query; ``"all"`` takes all positives and all negatives.

    Raises:
        ConfigError: for a negative margin or weight, or an unknown rule.
    """

    title = "AdaMine"
    section = ""
    position = 3
    # Searches from a margin of 0.05 ended within 4 % of it; ratios count among small margins.
    space: ClassVar = {"margin": LogUniform(0.005, 1.0), "semantic_weight": LogUniform(0.01, 10)}

    deviations: ClassVar = {
        "ignores_the_order": "the released rule takes the first other item of the class in the batch as the positive"
    }

    def __init__(
        self,
        margin: float = 0.3,
        semantic_weight: float = 0.1,
        semantic_pairs: Literal["first", "all"] = "first",
    ) -> None:
        super().__init__()
        at_least_zero(margin=margin, semantic_weight=semantic_weight)
        one_of("semantic_pairs", semantic_pairs, ("first", "all"))
        self.margin = margin
        self.semantic_weight = semantic_weight
        self.semantic_pairs = semantic_pairs

    def forward(self, batch: Batch) -> Terms:
        """The term ``double_triplet``."""
        loss = kernels.double_triplet(
            batch.image, batch.text, batch.labels, self.margin, self.semantic_weight, self.semantic_pairs
        )
        return {"double_triplet": loss}
