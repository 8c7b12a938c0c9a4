"""The version of the contract between the core and its plugins."""

from __future__ import annotations

__all__ = ["API_VERSION"]

#: Version of the contract in this package; a component states the one it was written for as ``api``.
API_VERSION = 1
