"""`thresher schema`: the spec file's format, for editors and checkers."""

import json

from thresher import ir


def schema() -> None:
    """Print the JSON Schema of spec files, from the ops that are registered."""
    print(json.dumps(ir.schema(), indent=2))
