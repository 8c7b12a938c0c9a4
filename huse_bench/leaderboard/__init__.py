"""Bundles of several people and data sets in one ranking: read, ranked, shown as a page, compared."""
