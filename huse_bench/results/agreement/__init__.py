"""Measured numbers beside a paper's: number by number, in the order of the methods, and in who leads."""

from huse_bench.results.agreement._leads import Lead, leads
from huse_bench.results.agreement._order import Ordering, kendall_tau, orderings
from huse_bench.results.agreement._verdicts import Outcome, Verdict, incomparable, verdicts

__all__ = [
    "Lead",
    "Ordering",
    "Outcome",
    "Verdict",
    "incomparable",
    "kendall_tau",
    "leads",
    "orderings",
    "verdicts",
]
