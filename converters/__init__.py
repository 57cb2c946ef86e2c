"""Conversion: recipes of passes that turn an ANN's graph into a spiking network's."""

import thresher.converters.passes as passes
from thresher.converters.account import Account, account
from thresher.converters.convert import convert
from thresher.converters.importers import (
    IMPORTERS,
    WEIGHTS,
    import_keras,
    import_model,
    import_nir,
    import_onnx,
    import_torch,
    with_weights,
)
from thresher.converters.pass_ import PASSES, Context, Pass, register_pass, run
from thresher.converters.recipe import Recipe, load_recipe, recipe_names
from thresher.converters.simulator import Sent, Simulator

__all__ = [
    "IMPORTERS",
    "PASSES",
    "WEIGHTS",
    "Account",
    "Context",
    "Pass",
    "Recipe",
    "Sent",
    "Simulator",
    "account",
    "convert",
    "import_keras",
    "import_model",
    "import_nir",
    "import_onnx",
    "import_torch",
    "load_recipe",
    "passes",
    "recipe_names",
    "register_pass",
    "run",
    "with_weights",
]
