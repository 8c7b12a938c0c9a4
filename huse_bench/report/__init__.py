"""What is shown of results: tables in several formats, comparisons and verdicts; nothing here needs torch."""

from huse_bench.report.render import FORMATS, Format, render

__all__ = ["FORMATS", "Format", "render"]
