"""Search: the recipe that serves a network best within a budget, judged on held-out images."""

from thresher.search.budget import Budget, parse_budget
from thresher.search.plan import Plan, plan_search
from thresher.search.run import Reached, convert_within, search
from thresher.search.selection import Selection, selection
from thresher.search.trial import Trial

__all__ = [
    "Budget",
    "Plan",
    "Reached",
    "Selection",
    "Trial",
    "convert_within",
    "parse_budget",
    "plan_search",
    "search",
    "selection",
]
