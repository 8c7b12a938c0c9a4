"""Separate models: a classifier for each modality and nothing that joins them (HUSE paper, section 4.2 and Table 3)."""

from torch.nn.functional import cross_entropy

from huse_bench import Batch, Loss, Terms

__all__ = ["Separate"]


class Separate(Loss):
    """Softmax cross-entropy of an image classifier and of a text classifier that share nothing.

    Reference:
        Narayana et al., "HUSE: Hierarchical Universal Semantic Embeddings", 2019 (arXiv 1911.05978), section 4.2 and
        Table 3.
    """

    title = "Separate Models"
    section = ""
    position = 0
    heads = "separate"

    def forward(self, batch: Batch) -> Terms:
        """The terms ``image`` and ``text``."""
        return {
            "image": cross_entropy(batch.image_logits, batch.labels),
            "text": cross_entropy(batch.text_logits, batch.labels),
        }
