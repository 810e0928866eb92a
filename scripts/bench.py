#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Convert the output of the benchmarks to JSON, a table and plots.

bench.py collect INSTRUMENT OUTPUT BUDGETS MODULES: print JSON of an instrument
bench.py merge FOLDER: write results.json with all instruments in FOLDER
bench.py table FOLDER: print a table
bench.py plot FOLDER: write *.svg
bench.py readme FOLDER: print the table of README.md
"""
import json
import os
import re
import subprocess
import sys

INSTRUMENTS = ("instructions", "cachelines", "cachelines_2cpus", "qemu", "uml")

# Cases whose code is all in their loop, where the instrument instructions counts
# locked instructions and lines that CPUs share in the disassembly.
INLINED = {
    "charge_uncharge_in_slot": "loop_charge_in_slot",
    "charge_uncharge_in_slot_variable_size": "loop_charge_variable",
    "try_charge_uncharge_in_slot": "loop_try_charge",
    "charge_uncharge_4_in_turn": "loop_charge_in_turn",
    "disabled_charge_uncharge": "loop_charge_in_slot",
    "range_bump": "loop_range_bump",
    "peer_percpu_sub_add": "loop_peer_percpu_sub_add",
    "peer_percpu_cmpxchg": "loop_peer_percpu_cmpxchg",
    "peer_atomic64": "loop_peer_atomic64",
    "peer_bare_cursor": "loop_peer_bare_cursor",
    "arena_alloc_reset": "loop_alloc_reset",
    "arena_alloc_variable_size": "loop_alloc_variable",
    "arena_zalloc": "loop_zalloc",
    "arena_alloc_percpu": "loop_alloc_percpu",
    "arena_alloc_ref_put": "loop_ref_put",
    "arena_alloc_ref_percpu_put": "loop_ref_percpu_put",
    "ref_get_put": "loop_ref_get_put",
}
# Loops that write only to their own memory: a cursor, objects.
OWN = {
    "peer_bare_cursor", "arena_alloc_reset", "arena_alloc_variable_size",
    "arena_zalloc", "arena_alloc_percpu", "arena_alloc_ref_put",
    "arena_alloc_ref_percpu_put",
}
# Functions that such a loop calls in each iteration. It calls other functions
# rarely. All functions of a case write to the same cache line.
BESIDES = {
    "arena_alloc_ref_put": ("memquota_ref_put",),
    "arena_alloc_ref_percpu_put": ("memquota_ref_put",),
    "ref_get_put": ("memquota_ref_get", "memquota_ref_put"),
}

# The rows of README.md: cases whose sum is the row's figure, and what they do.
README = (
    (("charge_uncharge_50_later",),
     "one participant, 1500 bytes, uncharged 50 operations later"),
    (("charge_uncharge_16_random_50_later",),
     "16 participants with an account each, at random, the same"),
    (("charge_uncharge_8_of_10000_100_later",),
     "10 000, four of five operations on 8 of them, 100 later"),
    (("charge_10000_private", "uncharge_10000_private"),
     "10 000 in turn, nothing of them in the caches"),
    (("queue_16_random_50_later",),
     "16 queues at random, a message received 50 later"),
    (("charge_uncharge_in_slot",),
     "one participant, uncharged at once: the best case, with its loop"),
    (("peer_memcg_50_later",),
     "for comparison: what memcg adds to `kmalloc()` and `kfree()`"),
    (("peer_percpu_counter_50_later",),
     "for comparison: `percpu_counter` up and down"),
    (("peer_atomic_16_random_50_later",),
     "for comparison: the atomic pair on an object's own line"),
)


def parse_number(text):
    value = float(text)
    return int(value) if value.is_integer() else value


def disassemble(module):
    """Map each function of a module to its instructions, calls by name."""
    functions, name = {}, None
    text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", module],
                          capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        match = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if match:
            name = match[1]
            functions[name] = []
        elif name and ": R_X86_64_" in line:
            symbol = line.split()[-1]
            functions[name][-1] += " " + re.sub(r"[-+]0x[0-9a-f]+$", "", symbol)
        elif name and "\t" in line:
            code = re.sub(r"\s+#.*", "", line.split("\t", 1)[1])
            # For a jump or call inside the section, objdump names the target.
            code = re.sub(r"\s+[0-9a-f]+ <([^>+]*)(\+.*)?>$", r" . \1", code)
            functions[name].append(code)
    return functions


WRITES = re.compile(r"(lock )?(mov|add|sub|inc|dec|neg|not|xchg|xadd|cmpxchg|and|or|"
                    r"bts|btr)[bwlq]? (?P<place>.*\([^)]*\).*)$")


def count_writes(code):
    """Count locked instructions, and places written that are not per-CPU."""
    locked, places = 0, set()
    for line in code:
        locked += bool(re.match(r"lock |xchg .*\(", line))
        match = WRITES.match(line)
        if match and "%gs:" not in line:
            # The last operand is the destination.
            place = re.split(r",(?![^(]*\))", match["place"])[-1].strip()
            if "(" in place and "%rsp" not in place:
                places.add(place)
    return locked, len(places)


def timed_code(code):
    """Return the instructions between the two readings of the clock."""
    clock = [i for i, line in enumerate(code) if line.startswith("rdtsc")]
    return code[clock[0]:clock[1]]


def count_inlined(case, loops, functions):
    """Count locked instructions and shared lines of a case in INLINED."""
    locked, lines = count_writes(timed_code(loops[INLINED[case]]))
    besides = [count_writes(functions[name]) for name in BESIDES.get(case, ())]
    return (locked + sum(n for n, _ in besides),
            max([0 if case in OWN else lines] + [n for _, n in besides]))


def read_sections(path):
    """Return what scripts/cachelines.c counted in each section."""
    names = ("cpu", "instructions", "locked", "operations", "lines",
             "l1_misses", "l2_misses")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return [dict(zip(names, map(int, line.split()))) for line in file]


def count_per_operation(sections, loop, empty, operations):
    """Return the fields of a result: section loop less section empty.

    Sections have numbers from 1; 0 is no section.
    """
    def per_operation(name):
        count = sections[loop - 1][name]
        if empty:
            count -= sections[empty - 1][name]
        return round(count / operations, 3)

    result = {"locked_instructions": per_operation("locked"),
              "l1_misses": per_operation("l1_misses"),
              "cold_lines": per_operation("l2_misses")}
    # A section without an empty one includes the call of the loop.
    if empty:
        result["value"] = per_operation("instructions")
    # Only some loops mark their operations.
    if sections[loop - 1]["operations"]:
        result["lines"] = per_operation("lines")
    return result


def collect(instrument, output, budgets, modules):
    def read(name):
        with open(os.path.join(output, name), encoding="utf-8") as file:
            return file.read().strip()

    with open(budgets, encoding="utf-8") as file:
        rows = json.load(file)["budgets"]
    loops = disassemble(os.path.join(modules, "memquota_bench.ko"))
    code = disassemble(os.path.join(modules, "memquota.ko"))
    sections = read_sections(os.path.join(output, "plugin"))
    results = []
    for line in read("results").splitlines():
        case, value, unit, cpus, count, peer, peer_value, own, *marks = line.split()
        result = {"case": case, "value": parse_number(value), "unit": unit,
                  "cpus": int(cpus)}
        if own != "-":
            result["budget"] = parse_number(own)
        else:
            result["budget"] = next(
                (r["budget"] for r in rows
                 if r["case"] == case and r["unit"] == unit
                 and r.get("instrument", instrument) == instrument), None)
        result["peer"] = None if peer == "-" else peer
        result["peer_value"] = None if peer_value == "-" else parse_number(peer_value)
        if count != "0":
            result["participants"] = int(count)
        loop, empty, operations = map(int, marks or (0, 0, 0))
        if sections is not None and loop:
            result.update(count_per_operation(sections, loop, empty, operations))
        elif unit == "instructions" and case in INLINED:
            result["locked_instructions"], result["shared_lines"] = count_inlined(
                case, loops, code)
        results.append(result)
    json.dump({"kernel": f"{read('kernel')} {read('version')}",
               "instrument": instrument, "cpus": int(read("cpus")),
               "results": results}, sys.stdout, indent=1)
    print()


def load_runs(folder):
    for instrument in INSTRUMENTS:
        path = os.path.join(folder, instrument + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                yield json.load(file)


def merge(folder):
    merged = None
    for run in load_runs(folder):
        if not merged:
            merged = dict(run, results=[])
        for result in run["results"]:
            merged["results"].append(dict(result, instrument=run["instrument"],
                                          kernel=run["kernel"]))
    if not merged:
        sys.exit(f"{folder}: no results: run the benchmarks first")
    path = os.path.join(folder, "results.json")
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        json.dump(merged, file, indent=1)
        file.write("\n")
    os.replace(path + ".tmp", path)


def table(folder):
    for run in load_runs(folder):
        print(f"\n{run['instrument']}: Linux {run['kernel']}, "
              f"{run['cpus']} CPU{'s' if run['cpus'] > 1 else ''}")
        print(f"{'case':<47}{'value':>12} {'unit':<13}{'cpus':>4}"
              f"{'budget':>9}{'locked':>7}{'shared':>7}{'lines':>7}"
              f"{'cold':>6}  peer")
        for r in run["results"]:
            name = r["case"]
            if "participants" in r and not re.search(r"\d", name):
                name += f" [{r['participants']}]"
            budget = "" if r["budget"] is None else f"{r['budget']:g}"
            if r["budget"] is not None and r["value"] > r["budget"]:
                budget = "!" + budget
            locked = r.get("locked_instructions", "")
            if isinstance(locked, float):
                locked = f"{locked:.2f}"
            lines, cold = (f"{r[key]:.1f}" if key in r else ""
                           for key in ("lines", "cold_lines"))
            peer = ""
            if r["peer"]:
                peer = r["peer"]
                if r["peer_value"] is not None:
                    peer = f"{r['peer_value']:g} {peer}"
            print(f"{name:<47}{r['value']:>12,.2f} "
                  f"{r['unit'].replace('_', ' '):<13}{r['cpus']:>4}{budget:>9}"
                  f"{locked:>7}"
                  f"{r.get('shared_lines', ''):>7}{lines:>7}{cold:>6}  {peer}")


def readme(folder):
    runs = {run["instrument"]: {r["case"]: r for r in run["results"]}
            for run in load_runs(folder)}
    if "cachelines" not in runs:
        sys.exit(f"{folder}: no cachelines: run the benchmarks first")
    width = max(len(text) for _, text in README)
    print(f"| {'pattern':<{width}} | instructions | locked | cold lines |")
    print(f"| {'-' * width} | -----------: | -----: | ---------: |")
    for cases, text in README:
        value, locked, cold = (
            sum(runs["cachelines"][case][field] for case in cases)
            for field in ("value", "locked_instructions", "cold_lines"))
        print(f"| {text:<{width}} | {value:>12.0f} | {locked:>6.1f} | "
              f"{cold:>10.1f} |")


def plot(folder):
    import matplotlib
    from cycler import cycler
    matplotlib.use("svg")
    from matplotlib import pyplot
    matplotlib.rcParams["svg.hashsalt"] = "memquota"
    matplotlib.rcParams["axes.prop_cycle"] = cycler(
        color=matplotlib.colormaps["tab20"].colors)

    def save_figure(figure, axes, name):
        if axes.get_legend_handles_labels()[0]:
            axes.grid(True, alpha=0.3)
            axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
            figure.tight_layout()
            figure.savefig(os.path.join(folder, name), metadata={"Date": None})
        pyplot.close(figure)

    for run in load_runs(folder):
        if run["cpus"] > 1:
            figure, axes = pyplot.subplots(figsize=(10, 5))
            cases = {}
            for r in run["results"]:
                if r["unit"] == "ns":
                    cases.setdefault(r["case"], {})[r["cpus"]] = r["value"]
            for case, values in cases.items():
                cpus = sorted(values)
                if len(cpus) > 1 and values[cpus[0]]:
                    axes.plot(cpus, [values[c] / values[cpus[0]] for c in cpus],
                              "--" if case.startswith("peer_") else "-",
                              marker="o", label=case)
            axes.set_xticks(range(1, run["cpus"] + 1))
            axes.set_ylim(bottom=0)
            axes.set_xlabel("CPUs at once")
            axes.set_ylabel("time per operation / time on one CPU")
            axes.set_title(f"Scaling ({run['instrument']}, "
                           f"{run['kernel'].split()[0]})", fontsize=10)
            save_figure(figure, axes, f"scaling-{run['instrument']}.svg")
        else:
            figure, axes = pyplot.subplots(figsize=(10, 5))
            cases = {}
            for r in run["results"]:
                if r["unit"] == "instructions" and "participants" in r:
                    cases.setdefault(r["case"], {})[r["participants"]] = \
                        r["value"]
            for case, values in cases.items():
                if len(values) > 1:
                    counts = sorted(values)
                    axes.plot(counts, [values[c] for c in counts], marker="o",
                              label=case)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlabel("participants")
            axes.set_ylabel("instructions")
            axes.set_title(f"Cost against participants "
                           f"({run['kernel'].split()[0]})", fontsize=10)
            save_figure(figure, axes, "participants.svg")


def main():
    commands = {"collect": (collect, 4), "merge": (merge, 1),
                "table": (table, 1), "plot": (plot, 1), "readme": (readme, 1)}
    if len(sys.argv) < 2 or sys.argv[1] not in commands or \
            len(sys.argv) != 2 + commands[sys.argv[1]][1]:
        sys.exit(__doc__)
    commands[sys.argv[1]][0](*sys.argv[2:])


if __name__ == "__main__":
    main()
