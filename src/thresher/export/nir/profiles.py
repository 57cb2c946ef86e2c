"""Profiles: what each tool makes of a NIR file, and so what is written for it."""

from dataclasses import dataclass

from thresher.errors import SimulationError
from thresher.registry import Registry


@dataclass(frozen=True)
class Profile:
    """What a tool's reader of NIR knows; measured by benchmarks/interop_peers.py.

    `pool` is the pool that it has; `scales` whether it has `Scale` nodes; `soft` and `hard` which
    resets its integrate-and-fire neuron can have; `uniform` whether a layer has one threshold;
    `r` what its neurons take as 1; `strict` whether a neuron fires above its threshold alone, so
    that what is written is the next number below; `leaky` whether an integrate-and-fire neuron has
    to be written as a leaky one that does not leak; `after` what has to be set once it is loaded.
    """

    pool: str = "AvgPool2d"
    scales: bool = False
    soft: str = ""
    """Why soft reset cannot be had; empty where it can."""
    hard: str = ""
    starts: str = ""
    """Why potentials cannot start elsewhere than at 0 (soft reset) or v_reset."""
    v_reset: str = ""
    """Why no other v_reset than 0 can be had."""
    uniform: bool = False
    r: float = 1.0
    strict: bool = False
    leaky: bool = False
    version: str = ""
    """An older version that the file is written in, without v_reset: IF resets by subtraction."""
    after: tuple[str, ...] = ()


PROFILES: Registry[Profile] = Registry("profile", SimulationError)
GENERIC = Profile(scales=True)
"""NIR as its specification has it; soft reset and initial potentials stand in the metadata."""

_NO_START = "its reader starts every potential where it resets to"
PROFILES.register(
    "sinabs",
    Profile(
        pool="SumPool2d",
        version="1.0.4",  # the last that it admits
        hard="its reader makes every IF reset by subtraction",
        after=(
            "written = nir.read(FILE)",
            "network = sinabs.nir.from_nir(written, num_timesteps=STEPS)",
            "for name, node in written.nodes.items():",
            "    if isinstance(node, nir.IF):",
            "        neurons = network.get_submodule(name.replace('.', '_'))",
            "        neurons.min_v_mem = None  # a lower bound that NIR does not name",
            "        neurons.spike_fn = sinabs.activation.SingleSpike  # at most one a step",
            "        neurons.init_state_with_shape((1, *node.v_threshold.shape))  # one image",
            "        neurons.v_mem += torch.as_tensor(node.metadata.get('v_init', 0.0))",
        ),
    ),
)
PROFILES.register(
    "snntorch",
    Profile(
        soft="its reader gives an IF a leak of 0.9, and an LIF resets to 0",
        starts=_NO_START,
        v_reset="its reader resets to 0 whatever the file says",
        uniform=True,
        strict=True,
        leaky=True,
    ),
)
PROFILES.register(
    "norse",
    Profile(
        pool="SumPool2d",
        soft="its reader resets every IF to 0",
        starts=_NO_START,
        v_reset="its reader resets to 0 whatever the file says",
        strict=True,
    ),
)
PROFILES.register(
    "spikingjelly",
    Profile(
        soft="its reader resets every IF to v_reset",
        starts=_NO_START,
        uniform=True,
        r=1e4,
    ),
)

UNTRIED = {
    "lava": "lava-nc installs on Python below 3.11 alone, and it was not tried",
}
"""Tools that were asked for and could not be compared, with the reason."""


def profile_of(name: str | None) -> Profile:
    """Return a tool's profile, or the specification's where none is named.

    Raises
    ------
    SimulationError
        Where the tool is unknown or could not be tried.
    """
    if name is None:
        return GENERIC
    if name in UNTRIED:
        raise SimulationError(
            f"profile '{name}' is refused: {UNTRIED[name]}; leave --for out for what NIR's "
            "specification says"
        )
    return PROFILES.get(name)
