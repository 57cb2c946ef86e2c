"""What `simulate` and `demo` print of a run's measures."""

from thresher.cli.comparison import Measures
from thresher.cli.output import count, percent, print_facts, print_table

SHOWN_STEPS = 8


def print_result(name: str, measures: Measures) -> None:
    """Print one run: ANN and SNN, accuracy by step, spikes by population."""
    print(f"{name}: {conditions(measures)}")
    print()
    print_facts(
        [
            ("ANN accuracy", percent(measures["ann_accuracy"])),
            ("SNN accuracy", percent(measures["accuracy"])),
            ("agreement with the ANN", percent(measures["ann_agreement"])),
            ("spikes a sample", count(measures["spikes_per_sample"])),
            *carried(measures),
            ("synaptic operations a sample", operations(measures)),
            ("MACs of the input a sample", count(measures["input_macs_per_sample"])),
            *operated(measures),
            ("MACs of the ANN a sample", count(measures["dense_macs_per_sample"])),
            ("latency in steps", latency(measures)),
            *settled(measures),
            ("time", time_taken(measures)),
        ]
    )
    _print_accuracy_by_step(measures)
    _print_populations(measures)


def conditions(measures: Measures) -> str:
    """Say how a run was made."""
    parts = [measures["schedule"], f"T = {measures['steps']}"]
    if measures["schedule"] == "async":
        parts += [
            f"{measures['ticks_per_step']} ticks a step",
            f"refractory {measures['refractory']}",
        ]
    if measures["probe_steps"]:
        parts.append(f"after a probe of {measures['probe_steps']} steps")
    if measures["delay"]:
        parts.append(f"delay {measures['delay']}")
    parts.append(f"{measures['samples']} samples")
    return ", ".join(parts) + f" ({measures['engine']} engine, {measures['precision']})"


def carried(measures: Measures) -> list[tuple[str, str]]:
    """Write what a spike carries, where that is more than a bit."""
    if measures["spike_levels"] == 2:
        return []
    levels, bits = measures["spike_levels"], measures["bits_per_spike"]
    return [("spikes carry", f"up to {levels} levels ({bits:.1f} bits)")]


def operated(measures: Measures) -> list[tuple[str, str]]:
    """Write what operators reckon besides synaptic operations, where there are some."""
    values, macs = measures["operator_values_per_sample"], measures["operator_macs_per_sample"]
    found = [("values of operators a sample", count(values))] if values else []
    return found + ([("MACs of their products", count(macs))] if macs else [])


def operations(measures: Measures) -> str:
    """Write the synaptic operations, and what each of them is."""
    found = count(measures["synaptic_operations_per_sample"])
    return found + (" (multiply-accumulates)" if measures["largest_payload"] > 1 else "")


def latency(measures: Measures) -> str:
    """Write the time from which the decision stands: median, and that of the slowest 5 %."""
    return _median_and_slowest(measures["latency_steps"])


def settled(measures: Measures) -> list[tuple[str, str]]:
    """Write when nothing was pending any more, of a run that settles."""
    if not measures["settle_limit"]:
        return []
    return [("settled after steps", _median_and_slowest(measures["quiescent_steps"]))]


def _median_and_slowest(found: Measures) -> str:
    return f"{count(found['median'])} (95 % within {count(found['p95'])})"


def time_taken(measures: Measures) -> str:
    """Write wall time and speed."""
    speed = count(measures["images_per_second"])
    return f"{measures['wall_seconds']:.2f} s ({speed} samples a second)"


def _print_accuracy_by_step(measures: Measures) -> None:
    accuracy = measures["accuracy_by_step"]
    if accuracy is None or len(accuracy) < 2:
        return
    accuracy = accuracy[: measures["steps"]]  # the settled decision stands above
    steps = sorted({2**i for i in range(len(accuracy).bit_length())} | {len(accuracy)})
    shown = [step for step in steps if step <= len(accuracy)][-SHOWN_STEPS:]
    print()
    columns = [str(step) for step in shown]
    values = [percent(accuracy[step - 1]) for step in shown]
    print_table(["step", *columns], [["accuracy", *values]], numbers=columns)


def _print_populations(measures: Measures) -> None:
    print()
    rates = measures["mean_rate_by_population"]
    rows = [
        (name, count(spikes), f"{rates[name]:.4f}")
        for name, spikes in measures["spikes_by_population"].items()
    ]
    print_table(
        ("population", "spikes a sample", "spikes a neuron and step"),
        rows,
        numbers=("spikes a sample", "spikes a neuron and step"),
    )
