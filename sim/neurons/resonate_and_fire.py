"""The resonate-and-fire neuron (Izhikevich 2001), in closed form between events."""

from typing import ClassVar

import numpy as np

from thresher.ir.fields import FloatRule
from thresher.sim.contract import NEVER
from thresher.sim.network import Ints, Population, Projection, Reals
from thresher.sim.neurons.model import EVERY, NEURONS, Chosen, Neuron, Signs
from thresher.sim.neurons.parameter import MILLISECONDS, POSITIVE, PSP, Parameter
from thresher.sim.neurons.time import VANISHES, Time

AHEAD = 64
"""Ticks that are looked at together for the next spike."""
SLACK = 1e-5
"""How much, relatively, rounding may add to a bound of the potential."""


class ResonateAndFire(Neuron):
    """A damped oscillation that spikes drive, and that fires at the threshold.

    z' = (b + i omega) z + I with z = x + i y: x is like a current, the potential y like a voltage.
    The constant current I drives x, and so does an arrival, which adds psp * w to x at once (not
    theta * w); the potential follows a quarter of a period later. Between two events at a neuron,
    the first at tick k0,

    z(k) = z_inf + (z(k0) - z_inf) * exp((b + i omega) (k - k0) h),   z_inf = -I / (b + i omega),

    which is exact; h is how long a tick lasts, and when the input has ended z_inf is 0. z_inf and
    the exponentials are computed in float64 and rounded once to the engine's precision.
    Spike when y >= theta, then z = theta * (x_reset + i y_reset), by default i theta. At the start
    x = 0 and y = v_init.

    In lockstep every step is an interval, and the sum of its potentials is added at its end. A run
    that settles has done so when no oscillation is large enough to reach theta again. Counts depend
    on when the input came: `layered` and `int` have no meaning, and identities 1 to 4 and 7 do not
    hold. The default period is 2 pi ms. Izhikevich 2001, Resonate-and-fire neurons.
    """

    name: ClassVar[str] = "resonate_and_fire"
    leaks: ClassVar[bool] = True
    own_reset: ClassVar[str] = "z = theta * (x_reset + i y_reset)"
    parameters: ClassVar[dict[str, Parameter]] = {
        "b": Parameter(-0.1, "1/ms", "the rate of the damping", FloatRule(maximum=-1e-6)),
        "omega": Parameter(1.0, "rad/ms", "the frequency", POSITIVE),
        "x_reset": Parameter(0.0, "theta", "x after a spike"),
        "y_reset": Parameter(1.0, "theta", "the potential after a spike", FloatRule(maximum=1.0)),
        "psp": Parameter(PSP.default, "", PSP.meaning, PSP.rule),
        "milliseconds_per_step": MILLISECONDS,
    }

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        p, dtype = population.parameters, current.dtype
        rate = complex(p["b"], p["omega"])
        self.x, self.y = np.zeros_like(population.v_init), population.v_init.copy()
        self.since = np.zeros(population.size, np.int64)
        z_inf = -current.astype(np.float64) / rate
        self.x_inf, self.y_inf = z_inf.real.astype(dtype), z_inf.imag.astype(dtype)
        h = p["milliseconds_per_step"] / time.ticks_per_step
        ticks = np.arange(int(min(np.ceil(VANISHES / (-p["b"] * h)), time.last)) + 1)
        turned = np.exp(rate * h * ticks)
        self.cos, self.sin = turned.real.astype(dtype), turned.imag.astype(dtype)
        self.sum = np.zeros_like(self.x)

    def potential(self, tick: int, neurons: Chosen = EVERY) -> Reals:
        return self._at(tick, neurons)[1]

    def receive(self, projection: Projection, neuron: int, sign: int, tick: int) -> Ints:
        targets, weights = projection.synapses.of(neuron)
        if self.time.lockstep:
            self.sum[targets] += sign * weights
        else:
            self._hold(tick, targets)
            self.x[targets] += sign * weights
        return targets

    def begin_step(self, step: int) -> None:
        self.sum = np.zeros_like(self.x)

    def end_step(self, step: int) -> None:
        self._hold(step, EVERY)
        self.x += self.sum

    def signs(self, neurons: Chosen, tick: int) -> Signs:
        return (self._at(tick, neurons)[1] >= self.population.theta[neurons]).astype(np.int8)

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        theta, p = self.population.theta[neurons], self.population.parameters
        self.x[neurons], self.y[neurons] = theta * p["x_reset"], theta * p["y_reset"]
        self.since[neurons] = tick

    def next_tick(self, neurons: Ints, earliest: Ints) -> Ints:
        found, at = np.full(len(neurons), NEVER), earliest.copy()
        still = np.arange(len(neurons))
        while len(still):
            chosen = neurons[still, None]
            ahead = at[still, None] + np.arange(AHEAD)
            over = self._at(ahead, chosen)[1] >= self.population.theta[chosen]
            hit = over.any(axis=1)
            found[still[hit]] = at[still[hit]] + over[hit].argmax(axis=1)
            still = still[~hit]
            at[still] = self._reaches_from(neurons[still], at[still] + AHEAD)
            beyond = at[still] > self.time.last  # of a run that settles: it has not by then
            found[still[beyond]] = at[still[beyond]]
            still = still[~beyond & (at[still] != NEVER)]
        return found

    def pending(self, tick: int) -> bool:
        every = np.arange(self.population.size)
        return bool((self.next_tick(every, np.full_like(every, tick)) != NEVER).any())

    def _reaches_from(self, neurons: Ints, tick: Ints) -> Ints:
        """Return the tick from which each may reach theta: this, the first without input, NEVER."""
        end, theta = self.time.end, self.population.theta[neurons]
        x_inf, y_inf = self.x_inf[neurons], self.y_inf[neurons]
        x, y = self._at(tick, neurons)
        radius = np.hypot(x - x_inf, y - y_inf)
        below = y_inf + radius + SLACK * (np.abs(y_inf) + radius) < theta
        later = np.where(below & (tick <= end), end + 1, tick)
        dies = np.hypot(*self._at(later, neurons)) * (1 + SLACK) < theta
        is_over = (later > end) & (dies | (self.time.last == end))
        return np.where(is_over, NEVER, later)

    def _hold(self, tick: int, neurons: Chosen) -> None:
        """Let the oscillations of these neurons come to a tick, and start anew from there."""
        self.x[neurons], self.y[neurons] = self._at(tick, neurons)
        self.since[neurons] = tick

    def _at(self, tick: int | Ints, neurons: Chosen) -> tuple[Reals, Reals]:
        """Return x and y at a tick: around z_inf until the input ends, and then around 0."""
        end, since = self.time.end, self.since[neurons]
        x_inf, y_inf = self.x_inf[neurons], self.y_inf[neurons]
        driven = np.minimum(tick, end) - np.minimum(since, end)
        dx, dy = self._turned(self.x[neurons] - x_inf, self.y[neurons] - y_inf, driven)
        x = np.where(driven > 0, x_inf + dx, self.x[neurons])
        y = np.where(driven > 0, y_inf + dy, self.y[neurons])
        return self._turned(x, y, np.maximum(tick, end) - np.maximum(since, end))

    def _turned(self, x: Reals, y: Reals, ticks: Ints) -> tuple[Reals, Reals]:
        """Return x + i y times exp((b + i omega) h ticks)."""
        n = np.minimum(ticks, len(self.cos) - 1)
        cos, sin = self.cos[n], self.sin[n]
        return x * cos - y * sin, x * sin + y * cos


NEURONS.register(ResonateAndFire.name, ResonateAndFire)
