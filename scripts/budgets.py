#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""budgets.py RESULTS BUDGETS: compare each result with its budget."""
import json
import sys


def find_results(results, row):
    """Return the results that a row of the budgets applies to."""
    return [r for r in results
            if r["case"] == row["case"] and r["unit"] == row["unit"]
            and row.get("instrument", r["instrument"]) == r["instrument"]]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)["results"]
    with open(sys.argv[2], encoding="utf-8") as file:
        rows = json.load(file)["budgets"]
    machine = max((r["cpus"] for r in results), default=0)
    bad = 0
    for row in rows:
        name, unit = row["case"], row["unit"].replace("_", " ")
        these = find_results(results, row)
        missing = {n for n in row.get("cpus", []) if n <= machine}
        missing -= {r["cpus"] for r in these}
        if missing or not these:
            on = ", ".join(f"{n} CPUs" for n in sorted(missing))
            print(f"NOT MEASURED  {name}"
                  f"{', ' + on + ' (busy machine?)' if on else ''}")
            bad += 1
        for result in these:
            over = result["value"] > row["budget"]
            bad += over
            note = ""
            if not over and "next" in row and result["value"] > row["next"]:
                note = f"; next {row['next']:g}"
            print(f"{'OVER' if over else 'ok':12}  {name}, {result['cpus']} "
                  f"CPU{'s' if result['cpus'] > 1 else ''}: "
                  f"{result['value']:g} of {row['budget']:g} {unit}{note}")
    if bad:
        print(f"{bad} over their budget or not measured")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
