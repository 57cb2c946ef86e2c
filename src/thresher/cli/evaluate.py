"""`thresher evaluate`: the dense ANN's answers."""

from thresher import datasets, ir
from thresher.cli import options
from thresher.cli.ann import ann_predictions, check_samples, dense_macs
from thresher.cli.output import count, percent, print_facts
from thresher.cli.paths import check_output, write_json


def evaluate(
    spec: options.Spec,
    data: options.Data,
    limit: options.Limit = None,
    offset: options.Offset = 0,
    metrics: options.Metrics = None,
) -> None:
    """Run the ANN, ignoring what a conversion added, and print its accuracy."""
    check_output(metrics, "--metrics", [".json"], keep=[spec])
    graph = ir.load(spec)
    samples = datasets.stream(data, offset=offset, limit=limit, shape=graph.inputs[0].shape)
    check_samples(graph, samples)
    predictions = ann_predictions(graph, samples)
    accuracy = None if samples.y is None else float((predictions == samples.y).mean())
    macs = dense_macs(graph)
    print_facts(
        [
            ("accuracy", "- (no labels)" if accuracy is None else percent(accuracy)),
            ("samples", count(len(samples))),
            ("MACs a sample", count(macs)),
        ]
    )
    if metrics is not None:
        found = {
            "accuracy": accuracy,
            "predictions": predictions.tolist(),
            "samples": len(samples),
            "dense_macs_per_sample": macs,
        }
        write_json(metrics, found)
        print(f"wrote {metrics}")
