#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""demo-plot.py FOLDER KERNEL: draw FOLDER/samples.csv and FOLDER/events.csv
as FOLDER/usage.svg and FOLDER/usage.png."""

import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

MIB = 1 << 20


def rows(path):
    with open(path, newline="", encoding="ascii") as file:
        return list(csv.DictReader(file))


def main():
    folder, kernel = sys.argv[1:]
    samples = rows(f"{folder}/samples.csv")
    events = rows(f"{folder}/events.csv")
    high = int(samples[-1]["high"]) / MIB
    low_water = int(samples[-1]["low_water"]) / MIB

    # Reclaim is faster than the sampling, so add the totals of its events.
    points = [(float(s["time_s"]), int(s["total"]) / MIB) for s in samples]
    ends = []
    starts = []
    victims = {}
    for event in events:
        point = float(event["time_s"]), int(event["bytes"]) / MIB
        if event["event"] == "victim":
            # An account stands for a pipe: its queue and its arena are two
            # participants, and only the arena holds memory.
            known = victims.setdefault(event["account"], point)
            if point[1] > known[1]:
                victims[event["account"]] = point
            continue
        points.append(point)
        (starts if event["event"] == "reclaim_start" else ends).append(point)
    points.sort()

    fig, (axes, below) = plt.subplots(
        2, 1, figsize=(11, 6.5), sharex=True, constrained_layout=True,
        gridspec_kw={"height_ratios": [4, 1]})
    axes.fill_between(*zip(*points), color="tab:blue", alpha=0.15, linewidth=0)
    axes.plot(*zip(*points), color="tab:blue", linewidth=1.2,
              label="total of the tracker")
    axes.axhline(high, color="tab:red", linestyle="--", linewidth=1.2,
                 label=f"high, {high:g} MiB: reclaim starts above it")
    axes.axhline(low_water, color="tab:green", linestyle="--", linewidth=1.2,
                 label=f"low_water, {low_water:g} MiB: reclaim stops here")
    if starts:
        axes.plot(*zip(*starts), "v", color="tab:red", markersize=6,
                  label=f"start of reclaim ({len(starts)})")
    if ends:
        axes.plot(*zip(*ends), "^", color="tab:green", markersize=6,
                  label="end of reclaim")
    axes.set_ylabel("memory charged (MiB)")
    axes.set_ylim(0, max(high * 1.45, max(y for _, y in points) * 1.3))
    axes.set_xlim(0, points[-1][0])
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", ncol=2, fontsize=9, framealpha=0.95)
    axes.set_title("memquota: 32 pipes with slow readers under a quota of "
                   f"{high:g} MiB ({kernel})")

    dots = [point for point in victims.values() if point[1]]
    if dots:
        markers, stems, _ = below.stem(*zip(*dots), basefmt=" ")
        plt.setp(stems, color="tab:orange", linewidth=1)
        plt.setp(markers, color="tab:orange", markersize=4)
    below.set_ylim(bottom=0)
    below.set_ylabel("victim held\n(MiB)")
    below.set_xlabel("time (s)")
    below.grid(alpha=0.3)
    below.set_title(f"the {len(victims)} pipes that were given up, "
                    "the oldest data first", fontsize=9, loc="left")
    fig.savefig(f"{folder}/usage.svg")
    fig.savefig(f"{folder}/usage.png", dpi=120)


main()
