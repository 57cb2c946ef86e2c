"""Neuron models: one file each; importing this fills the registry."""

from thresher.sim.neurons.integrate_and_fire import IntegrateAndFire
from thresher.sim.neurons.leaky_integrate_and_fire import LeakyIntegrateAndFire
from thresher.sim.neurons.max_pool import MaxPool
from thresher.sim.neurons.model import NEURONS, Neuron, model_of
from thresher.sim.neurons.parameter import Parameter
from thresher.sim.neurons.signed_integrate_and_fire import SignedIntegrateAndFire
from thresher.sim.neurons.time import Time

__all__ = [
    "NEURONS",
    "IntegrateAndFire",
    "LeakyIntegrateAndFire",
    "MaxPool",
    "Neuron",
    "Parameter",
    "SignedIntegrateAndFire",
    "Time",
    "model_of",
]
