"""Write the JSON Schemas of what huse-bench writes.

    python docs/schemas/make.py

Each file's name has the version of its schema, which changes when a reader has to. Files of old versions stay.
"""

import json
from pathlib import Path

from huse_bench.bundles.schema import BUNDLE_FORMAT, VERIFICATION_FORMAT, BundleFacts, Verified
from huse_bench.results.card import CardFacts
from huse_bench.results.schema import SCHEMA_VERSION, RunRecord

# What is described, by the first part of the file's name: its model, its version and its title.
MODELS = {
    "run-record": (RunRecord, SCHEMA_VERSION, "A run record of huse-bench"),
    "data-card": (CardFacts, CardFacts.model_fields["format"].default, "A data card of huse-bench"),
    "bundle": (BundleFacts, BUNDLE_FORMAT, "bundle.json of huse-bench"),
    "verification": (Verified, VERIFICATION_FORMAT, "verification.json of huse-bench"),
}


def schemas() -> dict[str, str]:
    """Contents by name of file."""
    made = {}
    for name, (model, version, title) in MODELS.items():
        schema = model.model_json_schema(mode="validation")
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "version": version}
        made[f"{name}.v{version}.json"] = json.dumps({**head, **schema, "title": title}, indent=2) + "\n"
    return made


if __name__ == "__main__":
    for file, text in schemas().items():
        Path(__file__).with_name(file).write_text(text, encoding="utf-8")
