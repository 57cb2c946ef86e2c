"""What `run_decompositions` writes out of an attention, and adds nothing to finite values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from thresher.converters.importers.aten.program import Call, Program, Ref


def without_masked_rows(program: Program) -> Program:
    """Return a program without the choice of 0 for rows of scores that are all -inf.

    A decomposed `scaled_dot_product_attention` has it after its softmax; no score is infinite
    where there is no mask, and infinite constants are refused.
    """
    producers = {name: call for call in program.calls for name in call.outputs}
    guards = [guard for call in program.calls if (guard := _Guard.of(call, producers))]
    kept = {id(guard.choice): guard.plain() for guard in guards}
    inner = {id(call) for guard in guards for call in guard.steps}
    calls: list[Call] = []
    read = set(program.outputs)
    for call in reversed(program.calls):
        call = kept.get(id(call), call)
        if id(call) in inner and not read.intersection(call.outputs):
            continue
        read.update(call.reads)
        calls.append(call)
    return replace(program, calls=tuple(reversed(calls)))


@dataclass(frozen=True)
class _Guard:
    """where(all(scores == -inf), 0, weights), with weights the softmax of the scores."""

    choice: Call
    weights: str
    steps: tuple[Call, ...]

    @classmethod
    def of(cls, call: Call, producers: Mapping[str, Call]) -> "_Guard | None":
        """Return the guard that ends with a call, if it is one."""
        if call.operator != "where":
            return None

        def chain(first: object, *operators: str) -> list[Call]:
            """Return the calls from a value back, each the first argument of the one before."""
            found: list[Call] = []
            for operator in operators:
                step = producers.get(first.name) if isinstance(first, Ref) else None
                if step is None or step.operator != operator:
                    return []
                found.append(step)
                first = step.arguments.get("self")
            return found

        condition = chain(
            call.arguments.get("condition"), "logical_not", "any", "logical_not", "eq"
        )
        zeros = chain(call.arguments.get("self"), "full_like")
        weights = call.arguments.get("other")
        softmax = chain(weights, "_softmax")
        if not condition or not zeros or not softmax or not isinstance(weights, Ref):
            return None
        along, equal = condition[1].arguments, condition[3].arguments
        fits = (
            equal.get("other") == -inf
            and equal.get("self") == softmax[0].arguments.get("self")
            and along.get("dim") == softmax[0].arguments.get("dim")
            and along.get("keepdim") is True
            and zeros[0].arguments.get("fill_value") == 0
        )
        return cls(call, weights.name, (*condition, *zeros)) if fits else None

    def plain(self) -> Call:
        """Return the call that gives the weights as they are."""
        alias = {"self": Ref(self.weights)}
        return replace(self.choice, target="torch.ops.aten.alias.default", arguments=alias)
