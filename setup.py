"""Build the Cython kernels and check the package's links; everything else is in pyproject.toml."""

import os
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build

HERE = Path(__file__).parent
KERNELS = (
    "wiring",
    "async_engine",
    "lockstep_engine",
    "populations",
    "models_async",
    "models_lockstep",
)
HEADERS = (
    "precisions",
    "each_precision",
    "cells",
    "cells_of",
    "gather",
    "gather_of",
    "layers",
    "layers_of",
    "neurons",
    "neurons_of",
)
DEBUG = os.environ.get("THRESHER_CYTHON_DEBUG") == "1"
GUARDS = [  # an overflow of a whole-number membrane ends the process
    "-DTHRESHER_DEBUG",
    "-fsanitize=signed-integer-overflow",
    "-fsanitize-undefined-trap-on-error",
]
REQUIRED = os.environ.get("THRESHER_REQUIRE_COMPILED") == "1"

for folder in ("ir", "sim", "converters", "cython_ext"):
    if not (HERE / "src" / "thresher" / folder / "__init__.py").exists():
        raise SystemExit(
            f"src/thresher/{folder} does not lead to the folder '{folder}' at the top of the "
            "repository: it is a symbolic link, which this checkout or archive did not keep. "
            "On Windows, clone with 'git clone -c core.symlinks=true'."
        )


def kernels() -> list[Extension]:
    """Translate the kernels to C; without a C compiler each is left out, unless required."""
    from Cython.Build import cythonize

    extensions = [
        Extension(
            f"thresher.cython_ext.{name}",
            [f"src/thresher/cython_ext/{name}.pyx"],
            include_dirs=["src/thresher/cython_ext"],
            depends=[f"src/thresher/cython_ext/{name}.h" for name in HEADERS],
            extra_compile_args=["-O3", "-g0", "-ffp-contract=off", *(GUARDS if DEBUG else [])],
        )
        for name in KERNELS
    ]
    built = cythonize(
        extensions,
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": DEBUG,
        },
        force=True,  # C written under other directives looks up to date and is not
    )
    for extension in built:  # cythonize makes new objects and drops the attribute
        extension.optional = not REQUIRED
    return built


class FreshBuild(build):
    """Build in an empty folder: what an earlier build left, old kernels too, would be packed."""

    def run(self) -> None:
        shutil.rmtree(Path(self.build_lib) / "thresher", ignore_errors=True)
        super().run()


setup(ext_modules=kernels(), cmdclass={"build": FreshBuild})
