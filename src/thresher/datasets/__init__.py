"""What `--data` reads: an .npz file, a folder of CIFAR or MNIST, the packaged digits, or events."""

from thresher.datasets.events import EventImages, recordings
from thresher.datasets.samples import Samples, load, stream

__all__ = ["EventImages", "Samples", "load", "recordings", "stream"]
