"""Neuron models: one file each; importing this fills the registry."""

from thresher.sim.neurons.integrate_and_fire import IntegrateAndFire
from thresher.sim.neurons.model import NEURONS, Neuron

__all__ = ["NEURONS", "IntegrateAndFire", "Neuron"]
