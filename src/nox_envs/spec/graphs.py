"""Owns walks over graphs of names: cycles with their path, and dependencies first; knows no spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

MOST_CYCLES = 100

Graph: TypeAlias = Mapping[str, tuple[str, ...]]


def walk(graph: Graph) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the nodes, each after what it points to, and up to a hundred cycles as paths (`a, b, a`).

    Edges to names that are no nodes are passed over. A node of a cycle is in the order too.
    """
    order: list[str] = []
    cycles: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in graph:
        if start not in done:
            _descend(start, graph, done, order, cycles)
    return order, cycles


def _descend(
    start: str, graph: Graph, done: set[str], order: list[str], cycles: list[tuple[str, ...]]
) -> None:
    # An own stack: a chain of thousands of names must not exhaust Python's.
    path = {start: iter(graph[start])}
    while path:
        node, edges = next(reversed(path.items()))
        target = next(edges, None)
        if target is None:
            path.popitem()
            done.add(node)
            order.append(node)
        elif target in path and len(cycles) < MOST_CYCLES:
            names = list(path)
            cycles.append((*names[names.index(target) :], target))
        elif target in graph and target not in done and target not in path:
            path[target] = iter(graph[target])


def shown(cycle: tuple[str, ...]) -> str:
    """Return a cycle as it is printed."""
    return " -> ".join(cycle)
