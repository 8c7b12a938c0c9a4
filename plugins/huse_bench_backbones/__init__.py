"""The backbones that huse-bench brings: frozen pretrained encoders of pictures and texts."""
