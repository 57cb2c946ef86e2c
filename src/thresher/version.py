"""The version of the installed package, as provenance and results name it."""

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """Return the installed version; a source checkout that is not installed has none."""
    try:
        return version("thresher")
    except PackageNotFoundError:
        return "unknown"
