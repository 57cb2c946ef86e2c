"""`thresher info`: versions, kernels and everything that is registered."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from thresher import __version__, converters, ir, sim
from thresher.cli.output import print_facts
from thresher.export import EXPORTERS

PACKAGES = ("numpy", "networkx", "PyYAML", "safetensors", "sortedcontainers", "typer", "rich")


def info() -> None:
    """Print versions, whether the kernels are compiled, and what can be named in files."""
    compiled, reason = sim.compiled_available()
    print_facts(
        [
            ("thresher", __version__),
            ("python", f"{platform.python_version()} on {platform.platform()}"),
            *((name.lower(), _version(name)) for name in PACKAGES),
            ("kernels", "compiled" if compiled else f"not compiled: {reason}"),
            ("SIMD that numpy found", _simd()),
            ("threads", str(os.cpu_count())),
            ("ops", ", ".join(ir.OPS)),
            ("neurons", ", ".join(sim.NEURONS)),
            ("encoders", ", ".join(sim.ENCODERS)),
            ("engines", ", ".join(sim.ENGINES)),
            ("passes", ", ".join(converters.PASSES)),
            ("recipes", ", ".join(converters.recipe_names())),
            ("networks out", ", ".join(EXPORTERS)),
            ("trace formats", ", ".join(sim.TRACE_FORMATS)),
        ]
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _simd() -> str:
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    return ", ".join([*extensions.get("baseline", ()), *extensions.get("found", ())]) or "none"
