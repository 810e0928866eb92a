#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""budgets.py RESULTS BUDGETS: compare each result with its budget.

A row of the budgets may limit, beside the value, the locked instructions and
the cold lines, which the instrument cachelines counts. Both are rounded to a
tenth, which leaves out rare work.
"""
import json
import sys

# A row's keys: the budget, the next budget; the result's field and its unit
FIELDS = (("budget", "next", "value", None),
          ("locked", "next_locked", "locked_instructions", "locked"),
          ("cold", "next_cold", "cold_lines", "cold lines"))


def find_results(results, row):
    """Return the results that a row of the budgets applies to."""
    return [r for r in results
            if r["case"] == row["case"] and r["unit"] == row["unit"]
            and row.get("instrument", r["instrument"]) == r["instrument"]]


def is_counted(result):
    """Return whether what was executed was counted, not the disassembly."""
    return result["instrument"].startswith("cachelines")


def compare(row, result):
    """Print a line for each budget of the row; return how many are exceeded."""
    bad = 0
    for budget, following, field, unit in FIELDS:
        if budget not in row or field not in result or \
                (unit and not is_counted(result)):
            continue
        value = round(result[field], 1) if unit else result[field]
        over = value > row[budget]
        bad += over
        note = ""
        if not over and following in row and value > row[following]:
            note = f"; next {row[following]:g}"
        print(f"{'OVER' if over else 'ok':12}  {row['case']}, {result['cpus']} "
              f"CPU{'s' if result['cpus'] > 1 else ''}, "
              f"{result['instrument']}: {value:g} of {row[budget]:g} "
              f"{unit or row['unit'].replace('_', ' ')}{note}")
    return bad


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)["results"]
    with open(sys.argv[2], encoding="utf-8") as file:
        rows = json.load(file)["budgets"]
    machine = max((r["cpus"] for r in results), default=0)
    bad = 0
    for row in rows:
        these = find_results(results, row)
        missing = {n for n in row.get("cpus", []) if n <= machine}
        missing -= {r["cpus"] for r in these}
        counted = not ("locked" in row or "cold" in row) or \
            any(is_counted(r) for r in these)
        if missing or not these or not counted:
            on = ", ".join(f"{n} CPUs" for n in sorted(missing))
            print(f"NOT MEASURED  {row['case']}"
                  f"{', ' + on + ' (busy machine?)' if on else ''}"
                  f"{'' if counted else ', cachelines'}")
            bad += 1
        bad += sum(compare(row, result) for result in these)
    if bad:
        print(f"{bad} over their budget or not measured")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
