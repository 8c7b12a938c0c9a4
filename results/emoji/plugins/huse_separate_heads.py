"""HUSE with a classifier for each modality, to see what sharing one is worth; for ``--plugins-dir``."""

import huse_bench as hb

Huse = hb.load("loss", "huse")


class HuseSeparateHeads(Huse):
    """HUSE as it is, but that images and texts are classified by heads of their own."""

    title = "separate heads"
    heads = "separate"
