"""The configuration of a run: defaults < preset < TOML file < command line, each value with its origin."""

from huse_bench.config._regime import NO_REGIME, RegimeConfig
from huse_bench.config._resolving import read_config_file, resolve_config
from huse_bench.config._run import MAX_PIXELS, EngineName, Overwrite, RunConfig
from huse_bench.config._training import PRESETS, Precision, TrainingConfig

__all__ = [
    "MAX_PIXELS",
    "NO_REGIME",
    "PRESETS",
    "EngineName",
    "Overwrite",
    "Precision",
    "RegimeConfig",
    "RunConfig",
    "TrainingConfig",
    "read_config_file",
    "resolve_config",
]
