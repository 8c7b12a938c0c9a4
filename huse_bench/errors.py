"""Every error that huse-bench raises on purpose.

The tree::

    HuseBenchError
    ├── UsageError                  a user's mistake: the command line prints it and exits with 2
    │   ├── ConfigError             a wrong key, type or value in a configuration
    │   ├── BundleError             a bundle that is damaged, or does not hold what it says
    │   ├── DataError               a dataset or feature file that cannot be used
    │   ├── EngineError             a cluster that cannot be used, or workers that cannot do what they are given
    │   ├── ResultsError            a results folder that cannot be used
    │   ├── UnknownComponentError   a method, backbone or dataset nobody provides
    │   └── MissingExtraError       an optional package that is not installed
    ├── PluginError
    │   ├── PluginLoadError         a plugin that was asked for cannot be loaded
    │   └── PluginConflictError     two distributions provide the same name
    ├── ConformanceError            a component that does not keep the contract it was checked against
    ├── RecordError                 a run record that cannot be read
    ├── DivergedError               a training whose loss or gradients stopped being finite
    ├── LostProcessError            a process that shares the batches of a training has ended
    ├── OutOfMemoryError            a run that there was not enough memory for
    └── TimeLimitError              a run that took longer than it may

Every message says what is wrong, where, and how to fix it.
"""

__all__ = [
    "BundleError",
    "ConfigError",
    "ConformanceError",
    "DataError",
    "DivergedError",
    "EngineError",
    "HuseBenchError",
    "LostProcessError",
    "MissingExtraError",
    "OutOfMemoryError",
    "PluginConflictError",
    "PluginError",
    "PluginLoadError",
    "RecordError",
    "ResultsError",
    "TimeLimitError",
    "UnknownComponentError",
    "UsageError",
]


class HuseBenchError(Exception):
    """Base of every error that huse-bench raises on purpose."""


class UsageError(HuseBenchError):
    """A user's mistake; the command line prints the message and exits with 2."""


class ConfigError(UsageError):
    """A wrong key, type or value in a configuration file, option or argument."""


class BundleError(UsageError):
    """A bundle that is damaged, could do harm, or does not hold what it says."""


class DataError(UsageError):
    """A dataset or a feature file that cannot be used as it is."""


class EngineError(UsageError):
    """A cluster that cannot be used, or workers that cannot do what they are given."""


class ResultsError(UsageError):
    """A results folder that cannot be read from or written to."""


class UnknownComponentError(UsageError):
    """A method, backbone or dataset that no installed distribution provides."""


class MissingExtraError(UsageError):
    """An optional package that a component needs and that is not installed."""

    def __init__(self, component: str, extra: str, package: str) -> None:
        super().__init__(
            f"{component} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'huse-bench[{extra}]'"
        )


class PluginError(HuseBenchError):
    """A plugin that cannot be used."""


class PluginLoadError(PluginError):
    """A plugin that was asked for and cannot be loaded."""


class PluginConflictError(PluginError):
    """Two distributions provide a component of the same name."""


class ConformanceError(HuseBenchError):
    """A component that does not keep the contract it was checked against."""


class RecordError(HuseBenchError):
    """A run record that cannot be read."""


class DivergedError(HuseBenchError):
    """A training whose loss or gradients stopped being finite."""


class LostProcessError(HuseBenchError):
    """A process that shares the batches of a training has ended, or waits for what will not come."""


class OutOfMemoryError(HuseBenchError):
    """A run that there was not enough memory for."""


class TimeLimitError(HuseBenchError):
    """A run that took longer than it may."""
