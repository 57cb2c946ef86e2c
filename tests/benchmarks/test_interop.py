"""The coverage table of imports: what a cell says."""

import pytest
from benchmarks import interop


def test_an_outcome_is_equal_off_by_a_share_or_refused() -> None:
    outcomes = [interop.Outcome(0.0), interop.Outcome(2.1e-7), interop.Outcome(None)]
    assert list(map(str, outcomes)) == ["equal", "2e-07", "refused"]


def test_layers_are_imported_and_compared_for_the_table() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    layers = {layer.name: layer for layer in interop.torch_layers()}
    relu, resized = (
        interop.measure(layers[name], "PyTorch") for name in ("ReLU", "upsampling, bilinear")
    )
    assert relu == interop.Outcome(0.0, ("relu",))
    assert resized == interop.Outcome(None, (), "no op of a graph computes it")
    assert interop.measure(layers["separable convolution"], "PyTorch") is None
