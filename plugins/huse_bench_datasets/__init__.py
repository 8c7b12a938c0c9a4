"""The datasets that huse-bench brings, one module or package each."""
