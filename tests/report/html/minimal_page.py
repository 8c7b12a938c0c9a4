"""The least page around sections: what a report's page gives them, and nothing else."""

import base64
import hashlib
import json
from pathlib import Path

import jinja2

import huse_bench.report.html

TEMPLATES = Path(huse_bench.report.html.__file__).parent / "templates"

SHARED = """
const hbPage = {each(name, start) {
  for (const element of document.querySelectorAll(`section[data-section="${name}"]`)) {
    const data = element.querySelector(':scope > script[type="application/json"]');
    start(element, data === null ? null : JSON.parse(data.textContent));
  }
}};
"""

BASE = """
:root { --ink: #1b1f24; --paper: #fff; --quiet: #57606a; --line: #d4d9df; --soft: #f4f6f8; font: 16px/1.5 sans-serif; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #15181c; --quiet: #a5aeb9; --line: #3a414a; --soft: #1e2329; color-scheme: dark; }
}
*, ::before, ::after { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem; background: var(--paper); color: var(--ink); }
[hidden] { display: none !important; }
.quiet { color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
button, select { font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--quiet); min-height: 2rem; }
"""


def page_of(sections) -> str:
    """HTML under the policy of a report."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    scripts = [SHARED, *_sources(section.script for section in sections)]
    styles = [BASE, *_sources(section.style for section in sections)]
    policy = (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = []
    for section in sections:
        place = f"f1-{section.name}"
        markup = environment.get_template(section.template).render({**section.context, "id": place})
        data = "" if section.data is None else f'<script type="application/json">{embedded(section.data)}</script>'
        parts.append(
            f'<section id="{place}" data-section="{section.name}" aria-labelledby="{place}-title">'
            f'<h2 id="{place}-title">{section.title}</h2>{markup}{data}</section>'
        )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>Sections</title>'
        f"{''.join(f'<style>{style}</style>' for style in styles)}</head>"
        f"<body><main><h1>Sections</h1><article>{''.join(parts)}</article></main>"
        f"{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>"
    )


def embedded(data) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(f"\\u{ord(sign):04x}" if sign in "<>&\u2028\u2029" else sign for sign in text)


def _sources(names) -> list[str]:
    return [(TEMPLATES / name).read_text(encoding="utf-8") for name in dict.fromkeys(names) if name]


def _hashes(texts) -> str:
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)
