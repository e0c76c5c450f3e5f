"""Runs a suite's contests, prints their tables, and writes the same figures to bench/results/."""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import sys
from collections.abc import Callable

import contest

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
OURS = "gradus"
# Rows of this group are no contenders but what the machine could do at most; for them the share that gradus reaches is shown.
LIMIT = "limit"
# Units of which more is better; of all others, less is.
RATES = ("steps/s", "tokens/s")


@dataclasses.dataclass
class Workload:
    """One table: who competes, and how seconds per unit are shown."""

    title: str
    contenders: list
    unit: str
    show: Callable[[float], float]


def per_second(seconds):
    return 1 / seconds


def ours_of(results):
    """Seconds per unit of gradus, which is its first row."""
    return next((result.median for result in results if result.group == OURS and result.seconds), None)


def print_table(workload, results):
    """A Markdown table; the last column says how many times faster gradus (its first row) is."""
    ours, show = ours_of(results), workload.show
    print(f"\n### {workload.title}\n\n| | threads | {workload.unit} | min – max | gradus is |\n|---|--:|--:|--:|--:|")
    for result in results:
        if result.failure:
            print(f"| {result.name} | {result.threads} | failed | {result.failure} | |")
            continue
        low, high = sorted((show(min(result.seconds)), show(max(result.seconds))))
        mark = "" if result.trusted else " (disturbed)"
        print(f"| {result.name} | {result.threads} | {number(show(result.median))}{mark} | {number(low)} – {number(high)} "
              f"| {compared(result, ours)} |")
    if not all(result.trusted for result in results if not result.failure):
        print("\nOther processes used the machine during this table; do not quote the figures marked as disturbed.")


def compared(result, ours):
    """How many times faster gradus is, or its share of a limit; nothing for gradus' own rows."""
    if ours is None or result.group == OURS:
        return ""
    factor = result.median / ours
    return f"at {factor:.0%}" if result.group == LIMIT else f"{factor:.2f}×"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def document(workload, results):
    """The same figures for the results file."""
    ours, show = ours_of(results), workload.show
    rows = []
    for result in results:
        row = {"name": result.name, "group": result.group, "threads": result.threads}
        if result.failure:
            rows.append(row | {"failure": result.failure})
            continue
        values = [show(seconds) for seconds in result.seconds]
        row |= {"median": round(show(result.median), 2), "min": round(min(values), 2), "max": round(max(values), 2),
                "repeats": len(values), "trusted": result.trusted, "others_cores": result.others}
        if ours and result.group not in (OURS, LIMIT):
            row["gradus_is_faster_by"] = round(result.median / ours, 3)
        if ours and result.group == LIMIT:
            row["gradus_reaches"] = round(result.median / ours, 3)
        rows.append(row)
    return {"title": workload.title, "unit": workload.unit, "rows": rows}


def print_summary(tables):
    """One line for each of gradus' figures with two threads: what it is against the fastest mode of each peer."""
    print("\n### Summary: gradus with two threads against each peer's best mode\n")
    for table in tables:
        rows = [row for row in table["rows"] if "median" in row]
        peers = fastest_of_each_group([row for row in rows if row["group"] != OURS], table["unit"])
        for ours in [row for row in rows if row["group"] == OURS and row["threads"] == 2] or [None]:
            versus = [f"{row['group']} {number(row['median'])}" + times_faster(ours, row, table["unit"]) for row in peers]
            head = f"{table['title']}, {table['unit']}" + (f": **{ours['name']} {number(ours['median'])}**" if ours else "")
            print(f"- {head}: " + "; ".join(versus))


def fastest_of_each_group(rows, unit):
    """The best row of each peer, in the order in which the peers first appear."""
    better = max if unit in RATES else min
    groups = dict.fromkeys(row["group"] for row in rows)
    return [better((row for row in rows if row["group"] == group), key=lambda row: row["median"]) for group in groups]


def times_faster(ours, theirs, unit):
    """How many times faster `ours` is (or its share of a limit), in brackets; nothing without `ours`."""
    if ours is None:
        return ""
    factor = ours["median"] / theirs["median"]
    factor = factor if unit in RATES else 1 / factor
    return f" ({factor:.0%} of it)" if theirs["group"] == LIMIT else f" ({factor:.2f}×)"


def versions_of(peers):
    """What the peers call themselves."""
    versions = {}
    for peer in peers:
        with contextlib.suppress(contest.Failed):  # its tables will say so
            versions |= peer.ask(do="versions")
    return versions


def run(suite, workloads, peers, repeats, **about):
    """Hold every contest, print, write `bench/results/SUITE.json`, and stop the peers whatever happens."""
    sys.stdout.reconfigure(line_buffering=True)  # a long run is watched through a file, too
    try:
        versions = versions_of(peers)
        patience = contest.Patience([peer.process.pid for peer in peers])
        tables = []
        for workload in workloads:
            results = contest.compete(workload.contenders, repeats, patience)
            print_table(workload, results)
            tables.append(document(workload, results))
    finally:
        for peer in peers:
            peer.close()
    print_summary(tables)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{suite}.json"
    head = {"suite": suite, "measured": datetime.date.today().isoformat(), "machine": contest.machine(), "versions": versions}
    path.write_text(json.dumps(head | about | {"tables": tables}, indent=1, ensure_ascii=False) + "\n")
    print(f"\nwritten to {os.path.relpath(path)}")
