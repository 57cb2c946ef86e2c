"""Neuron models: one file each; importing this fills the registry."""

from thresher.sim.neurons.burst import Burst
from thresher.sim.neurons.differential import Differential, ceiling_of
from thresher.sim.neurons.expectation import Expectation
from thresher.sim.neurons.few_spikes import FewSpikes
from thresher.sim.neurons.graded import Graded
from thresher.sim.neurons.hodgkin_huxley import HodgkinHuxley
from thresher.sim.neurons.imbalanced import ImbalancedIntegrateAndFire
from thresher.sim.neurons.integrate_and_fire import IntegrateAndFire, Integrator
from thresher.sim.neurons.izhikevich import Izhikevich
from thresher.sim.neurons.leaky_integrate_and_fire import LeakyIntegrateAndFire
from thresher.sim.neurons.max_pool import MaxPool
from thresher.sim.neurons.model import NEURONS, Model, Neuron, model_of, neuron_of
from thresher.sim.neurons.multi_threshold import MultiThreshold
from thresher.sim.neurons.operator import Operator
from thresher.sim.neurons.parameter import Parameter
from thresher.sim.neurons.resonate_and_fire import ResonateAndFire
from thresher.sim.neurons.signed_burst import SignedBurst
from thresher.sim.neurons.signed_integrate_and_fire import SignedIntegrateAndFire
from thresher.sim.neurons.snm import SignedNeuronWithMemory
from thresher.sim.neurons.time import Time
from thresher.sim.neurons.time_coded import TimeCoded
from thresher.sim.neurons.ttfs import TimeToFirstSpike
from thresher.sim.neurons.two_spike import TwoSpike
from thresher.sim.neurons.window import Volley, Window, no_spikes

__all__ = [
    "NEURONS",
    "Burst",
    "Differential",
    "Expectation",
    "FewSpikes",
    "Graded",
    "HodgkinHuxley",
    "ImbalancedIntegrateAndFire",
    "IntegrateAndFire",
    "Integrator",
    "Izhikevich",
    "LeakyIntegrateAndFire",
    "MaxPool",
    "Model",
    "MultiThreshold",
    "Neuron",
    "Operator",
    "Parameter",
    "ResonateAndFire",
    "SignedBurst",
    "SignedIntegrateAndFire",
    "SignedNeuronWithMemory",
    "Time",
    "TimeCoded",
    "TimeToFirstSpike",
    "TwoSpike",
    "Volley",
    "Window",
    "ceiling_of",
    "model_of",
    "neuron_of",
    "no_spikes",
]
