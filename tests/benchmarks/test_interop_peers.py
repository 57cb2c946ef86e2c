"""Exported NIR files, loaded by the tools that they are for, send the simulator's spikes."""

import numpy as np
import pytest
from benchmarks.interop_peers import PEERS, SUBJECTS, compare, missing


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize(
    "tool",
    [pytest.param(t, marks=pytest.mark.skipif(bool(missing(t)), reason=missing(t))) for t in PEERS],
)
def test_a_tool_sends_as_many_spikes_in_every_layer(tool: str, subject: str) -> None:
    recipe, _ = PEERS[tool]
    graph, images = SUBJECTS[subject](recipe, 8)
    found, expected = compare(tool, graph, images[:3], 8)
    assert all(counts.any() for counts in expected.values())
    for name, counts in expected.items():
        np.testing.assert_array_equal(found[name], counts, err_msg=name)
