"""Train the two digits models with PyTorch and write their specs and weights.

Run it as `python specs/train_digits.py`; it needs PyTorch and takes ten seconds. Only the training
part of the data is seen; the accuracy printed is that of the test part. Activations are threshold
ReLUs (Deng and Gu 2021) with y_th = 1, weights start as Kaiming normal, fan-out.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from thresher import digits

FOLDER = Path(__file__).parent
LABELS = [str(digit) for digit in range(10)]
EPOCHS = 60
BATCH = 32


class ThresholdRelu(nn.Module):
    """min(max(x, 0), 1)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(0.0, 1.0)


CNN_NODES = """\
  conv1: {op: conv2d, from: image, out_channels: 16, kernel: 3, padding: 1, bias: false}
  bn1: {op: batch_norm, from: conv1}
  relu1: {op: clipped_relu, from: bn1, max: 1.0}
  pool1: {op: avg_pool2d, from: relu1, kernel: 2}
  conv2: {op: conv2d, from: pool1, out_channels: 32, kernel: 3, padding: 1, bias: false}
  bn2: {op: batch_norm, from: conv2}
  relu2: {op: clipped_relu, from: bn2, max: 1.0}
  pool2: {op: avg_pool2d, from: relu2, kernel: 2}
  flatten: {op: flatten, from: pool2}
  fc: {op: linear, from: flatten, out_features: 10}
outputs: [fc]
"""
MLP_NODES = """\
  flatten: {op: flatten, from: image}
  fc1: {op: linear, from: flatten, out_features: 64}
  relu1: {op: clipped_relu, from: fc1, max: 1.0}
  fc2: {op: linear, from: relu1, out_features: 64}
  relu2: {op: clipped_relu, from: fc2, max: 1.0}
  fc3: {op: linear, from: relu2, out_features: 10}
outputs: [fc3]
"""


def cnn() -> nn.Sequential:
    """Build the CNN; its modules are called as the spec's nodes are."""
    layers = {
        "conv1": nn.Conv2d(1, 16, 3, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(16),
        "relu1": ThresholdRelu(),
        "pool1": nn.AvgPool2d(2),
        "conv2": nn.Conv2d(16, 32, 3, padding=1, bias=False),
        "bn2": nn.BatchNorm2d(32),
        "relu2": ThresholdRelu(),
        "pool2": nn.AvgPool2d(2),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(128, 10),
    }
    return nn.Sequential(OrderedDict(layers))


def mlp() -> nn.Sequential:
    """Build the MLP; its modules are called as the spec's nodes are."""
    layers = {
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(64, 64),
        "relu1": ThresholdRelu(),
        "fc2": nn.Linear(64, 64),
        "relu2": ThresholdRelu(),
        "fc3": nn.Linear(64, 10),
    }
    return nn.Sequential(OrderedDict(layers))


def initialise(module: nn.Sequential) -> None:
    """Draw the weights of every convolution and linear layer; start biases at 0."""
    for layer in module:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def train(module: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> None:
    """Minimise cross-entropy: SGD with momentum, cosine learning rate, weight decay 5e-4."""
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    module.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
            optimiser.step()
        schedule.step()


@torch.no_grad()
def accuracy(module: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share of right answers, in evaluation mode."""
    module.eval()
    return float((module(x).argmax(1) == y).float().mean())


def write(name: str, module: nn.Sequential, nodes: str) -> None:
    """Write NAME.yaml and NAME.safetensors."""
    tensors = {k: v for k, v in module.state_dict().items() if "num_batches_tracked" not in k}
    save_file(tensors, FOLDER / f"{name}.safetensors")
    head = (
        f"thresher: 1\nname: {name}\ntensors: {name}.safetensors\ninputs:\n"
        "  image: {shape: [1, 8, 8], preprocess: {divide: 16}}\nnodes:\n"
    )
    (FOLDER / f"{name}.yaml").write_text(f"{head}{nodes}labels: {LABELS}\n")


def main() -> None:
    """Train, print accuracies, write."""
    x_train, y_train, x_test, y_test = digits.load()
    train_x, test_x = (torch.from_numpy(x).float() / 16 for x in (x_train, x_test))
    train_y, test_y = torch.from_numpy(y_train), torch.from_numpy(y_test)
    for name, build, nodes in (("digits_mlp", mlp, MLP_NODES), ("digits_cnn", cnn, CNN_NODES)):
        torch.manual_seed(0)
        module = build()
        initialise(module)
        train(module, train_x, train_y)
        print(
            f"{name}: accuracy {accuracy(module, train_x, train_y):.4f} on the training part, "
            f"{accuracy(module, test_x, test_y):.4f} on the test part"
        )
        write(name, module, nodes)


if __name__ == "__main__":
    main()
