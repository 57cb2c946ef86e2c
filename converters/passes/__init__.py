"""Every pass; importing this fills the registry."""

from thresher.converters.passes.balance_thresholds import BalanceThresholds
from thresher.converters.passes.bound_thresholds import BoundThresholds
from thresher.converters.passes.calibrate_layers import CalibrateLayers
from thresher.converters.passes.delay_readout import DelayReadout
from thresher.converters.passes.fold_batch_norm import FoldBatchNorm
from thresher.converters.passes.hard_reset import HardReset
from thresher.converters.passes.init_potential import InitPotential
from thresher.converters.passes.probe_first import ProbeFirst
from thresher.converters.passes.quantize import Quantize
from thresher.converters.passes.replace_unsupported import ReplaceUnsupported
from thresher.converters.passes.scale_thresholds import ScaleThresholds
from thresher.converters.passes.shift import Shift
from thresher.converters.passes.soft_reset import SoftReset
from thresher.converters.passes.spike_norm import SpikeNorm
from thresher.converters.passes.strip_dropout import StripDropout
from thresher.converters.passes.take_ceilings import TakeCeilings
from thresher.converters.passes.use_burst_neurons import UseBurstNeurons
from thresher.converters.passes.use_differential_neurons import UseDifferentialNeurons
from thresher.converters.passes.use_imbalanced_neurons import UseImbalancedNeurons
from thresher.converters.passes.use_multi_threshold_neurons import UseMultiThresholdNeurons
from thresher.converters.passes.use_operators import UseOperators
from thresher.converters.passes.use_signed_neurons import UseSignedNeurons
from thresher.converters.passes.use_snm_neurons import UseSnmNeurons
from thresher.converters.passes.use_time_code import UseTimeCode

__all__ = [
    "BalanceThresholds",
    "BoundThresholds",
    "CalibrateLayers",
    "DelayReadout",
    "FoldBatchNorm",
    "HardReset",
    "InitPotential",
    "ProbeFirst",
    "Quantize",
    "ReplaceUnsupported",
    "ScaleThresholds",
    "Shift",
    "SoftReset",
    "SpikeNorm",
    "StripDropout",
    "TakeCeilings",
    "UseBurstNeurons",
    "UseDifferentialNeurons",
    "UseImbalancedNeurons",
    "UseMultiThresholdNeurons",
    "UseOperators",
    "UseSignedNeurons",
    "UseSnmNeurons",
    "UseTimeCode",
]
