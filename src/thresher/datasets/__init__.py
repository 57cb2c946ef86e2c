"""What `--data` reads: an .npz file, a folder of CIFAR or MNIST, or the packaged digits."""

from thresher.datasets.samples import Samples, load, stream

__all__ = ["Samples", "load", "stream"]
