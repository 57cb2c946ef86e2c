"""Neuron models: one file each; importing this fills the registry."""

from thresher.sim.neurons.integrate_and_fire import IntegrateAndFire
from thresher.sim.neurons.model import NEURONS, Neuron, model_of
from thresher.sim.neurons.time import Time

__all__ = ["NEURONS", "IntegrateAndFire", "Neuron", "Time", "model_of"]
