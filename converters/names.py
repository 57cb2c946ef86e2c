"""Names of the tensors that passes make."""

from thresher.ir import Graph


def tensor_name(graph: Graph, node: str, role: str) -> str:
    """Return `NODE.ROLE`, numbered where a tensor of another node is called so."""
    taken = {tensor.name for other in graph if other.name != node for tensor in other.tensors}
    name, number = f"{node}.{role}", 1
    while name in taken:
        number += 1
        name = f"{node}.{role}.{number}"
    return name
