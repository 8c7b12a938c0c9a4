"""HIE*: embeddings mapped onto the class embeddings (Barz and Denzler 2019), extended to texts as in the HUSE paper."""

from typing import ClassVar

from torch.nn.functional import cross_entropy

from huse_bench import Batch, LogUniform, Loss, Terms
from huse_bench_losses._checks import at_least_zero

__all__ = ["HIE", "TreeHIE"]


class HIE(Loss):
    """Cosine distance of each embedding to that of its class, with a linear classifier for each modality.

    Args:
        class_weight: lambda, the weight of each modality's classification loss.

    Raises:
        ConfigError: for a negative weight.

    Reference:
        Barz and Denzler, "Hierarchy-based Image Embeddings for Semantic Image Retrieval", WACV 2019 (arXiv
        1809.09924), sections 3.2-3.3; with texts and the embeddings of class names as in the HUSE paper.
    """

    title = "HIE*"
    section = ""
    position = 5
    heads = "separate"
    embedding = "classes"
    semantic = True
    space: ClassVar = {"class_weight": LogUniform(0.001, 10)}

    def __init__(self, class_weight: float = 0.1) -> None:
        super().__init__()
        at_least_zero(class_weight=class_weight)
        self.class_weight = class_weight

    def forward(self, batch: Batch) -> Terms:
        """The terms ``projection`` and ``classification``, each the sum of the two modalities."""
        target = batch.classes.embeddings[batch.labels]
        projection = (2 - ((batch.image + batch.text) * target).sum(1)).mean()
        image = cross_entropy(batch.image_logits, batch.labels)
        text = cross_entropy(batch.text_logits, batch.labels)
        return {"projection": projection, "classification": self.class_weight * (image + text)}


class TreeHIE(HIE):
    """As :class:`HIE`, with class embeddings placed by the taxonomy as its authors do (HUSE uses the class names').

    The classifier stays linear where theirs has a ReLU and batch normalisation, so that all methods have alike heads.

    Args:
        class_weight: lambda, the weight of each modality's classification loss.

    Raises:
        ConfigError: for a negative weight.

    Reference:
        Barz and Denzler, "Hierarchy-based Image Embeddings for Semantic Image Retrieval", WACV 2019, sections 3.2-3.3.
    """

    title = "HIE (taxonomy)"
    section = "Beyond the paper"
    position = 26
    class_graph = "taxonomy"
