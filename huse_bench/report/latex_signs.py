"""Any text as LaTeX that shows it, and which of its signs pdflatex cannot show."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["ESCAPES", "KNOWN", "escaped", "unknown_signs"]

#: LaTeX of the signs that it would not print as they are.
ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "|": r"\textbar{}",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
    "<": r"$<$",
    ">": r"$>$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "±": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "∞": r"$\infty$",
    "→": r"$\to$",
    "←": r"$\gets$",
    "↔": r"$\leftrightarrow$",
    "«": "$\\ll$",
    "»": "$\\gg$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
# Methods are named by Greek letters; omicron is none of mathematics, which has o.
ESCAPES |= {
    chr(code): f"$\\{name}$"
    for first, names in (
        (0x3B1, "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi"),
        (0x3C0, "pi rho varsigma sigma tau upsilon varphi chi psi omega"),
    )
    for code, name in enumerate(names.split(), start=first)
}
ESCAPES |= {
    "Γ": r"$\Gamma$", "Δ": r"$\Delta$", "Θ": r"$\Theta$", "Λ": r"$\Lambda$", "Ξ": r"$\Xi$", "Π": r"$\Pi$",
    "Σ": r"$\Sigma$", "Φ": r"$\Phi$", "Ψ": r"$\Psi$", "Ω": r"$\Omega$", "µ": r"$\mu$",
}  # fmt: skip

#: What pdflatex knows in any encoding of its fonts: Latin letters up to Extended-A, dashes and quotation marks.
KNOWN = {chr(code) for known in (range(0x180), range(0x2010, 0x2027)) for code in known} - set(
    "ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ\u2017\u201a\u201b\u201e\u201f\u2023\u2024\u2025"
)


def escaped(text: str) -> str:
    """A text as LaTeX that shows it.

    Args:
        text: with any signs. Marks without a shape of their own, such as those that turn the direction of what
            follows, are left out.

    Returns:
        LaTeX source of one line.
    """
    plain = unicodedata.normalize("NFC", text.replace(">=", "≥"))
    signs = "".join(
        ESCAPES.get(sign, " " if sign.isspace() else sign) for sign in plain if unicodedata.category(sign) != "Cf"
    )
    # Two hyphens would become a dash.
    return re.sub("-(?=-)", "-{}", signs)


def unknown_signs(source: str) -> list[str]:
    """The signs of a LaTeX source that pdflatex does not know of itself, sorted."""
    return sorted(set(source) - KNOWN)
