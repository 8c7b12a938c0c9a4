"""The losses that huse-bench brings: those of the HUSE paper (arXiv 1911.05978), one module each."""
