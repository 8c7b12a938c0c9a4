"""Which huse-bench this is."""

from huse_bench.errors import UsageError

__all__ = ["installed_version"]


def installed_version() -> str:
    """The version of the installed distribution.

    Raises:
        UsageError: if the package is imported without being installed.
    """
    from importlib import metadata  # noqa: PLC0415  a third of the time that importing huse_bench takes

    try:
        return metadata.version("huse-bench")
    except metadata.PackageNotFoundError as error:
        raise UsageError(
            "huse_bench is imported but not installed, so it has no version and no built-in plugins. "
            "Install it (in a checkout: pip install -e .)"
        ) from error
