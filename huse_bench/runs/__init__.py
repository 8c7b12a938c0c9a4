"""Runs: planned, trained, evaluated and recorded."""
