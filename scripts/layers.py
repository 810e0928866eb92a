#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""layers.py [--order] KMOD: check that memquota's dependencies point downwards.

KMOD is a kmod folder in which the modules are built, for example
build/modules/6.1/kmod. Each line printed is a finding:

  - a circle: objects that need each other's symbols, by the shortest way round
  - a symbol needed, or a header included, against the table LAYERS

--order prints the objects of memquota.ko instead, from the bottom up: each
line needs symbols only of the lines above it. Objects in brackets form a
circle.
"""
import collections
import os
import re
import subprocess
import sys

# Which directories the code of a directory may depend on, beside its own:
# on everything there (ALL), or only on what include/memquota/ declares (PUBLIC).
ALL, PUBLIC = "all", "public"
LAYERS = {
    "core": {},
    "memory": {"core": PUBLIC},
    "device": {"core": ALL},
    "debug": {"core": ALL, "memory": ALL},
    "main": {"core": ALL, "memory": ALL, "device": ALL, "debug": ALL},
    "samples": {"core": PUBLIC, "memory": PUBLIC},
}

# Differences between kernels: it declares nothing of the core's.
SHARED = {"core/compat.h"}


def layer_of(name):
    """Return the directory of "core/charge"; main.c is a layer of its own."""
    return os.path.dirname(name) or name


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def linked_objects(kmod):
    """Return the names of the objects that memquota.ko is linked from."""
    try:
        objects = read(os.path.join(kmod, "memquota.mod")).split()
    except FileNotFoundError:
        sys.exit(f"{kmod}: no memquota.mod: build the modules first")
    # Absolute, or relative to the module's or the kernel's build folder.
    return [re.sub(r"^(.*/)?kmod/", "", path)[:-len(".o")] for path in objects]


def sample_objects(kmod):
    """Return the names of the samples' objects, modpost's .mod.o left out."""
    files = set(os.listdir(os.path.join(kmod, "samples")))
    return sorted("samples/" + file[:-len(".o")] for file in files
                  if re.fullmatch(r"[^.]*\.o", file) and file[:-1] + "c" in files)


def symbols(path):
    """Return the global symbols that an object defines, and those it needs."""
    text = subprocess.run(["nm", "-P", path], capture_output=True, text=True,
                          check=True).stdout
    defines, needs = set(), set()
    for line in text.splitlines():
        name, kind = line.split()[:2]
        if kind == "U":
            needs.add(name)
        elif kind in "ABCDGRST":
            defines.add(name)
    return defines, needs


def dependencies(kmod, names):
    """Map each object to {object that it needs: the symbols it needs of it}."""
    tables = {name: symbols(os.path.join(kmod, name + ".o")) for name in names}
    home = {symbol: name for name in names for symbol in tables[name][0]}
    graph = {}
    for name in names:
        graph[name] = collections.defaultdict(list)
        for symbol in sorted(tables[name][1]):
            # The rest is the kernel's.
            if home.get(symbol, name) != name:
                graph[name][home[symbol]].append(symbol)
    return graph


def components(graph):
    """Return the strongly connected components, the needed before the needy."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def shortest_circle(graph, members):
    """Return the objects of the shortest circle in a component, in order."""
    best = None
    for start in members:
        before, queue = {start: None}, collections.deque([start])
        while queue:
            node = queue.popleft()
            if start in graph[node]:
                way = []
                while node is not None:
                    way.insert(0, node)
                    node = before[node]
                if best is None or len(way) < len(best):
                    best = way
                break
            for other in sorted(graph[node]):
                if other in members and other not in before:
                    before[other] = node
                    queue.append(other)
    return best


def circles(graph):
    for members in components(graph):
        if len(members) == 1:
            continue
        way = shortest_circle(graph, members)
        steps = [f"{name} needs {', '.join(graph[name][other])} of {other}"
                 for name, other in zip(way, way[1:] + way[:1])]
        yield f"circle of {len(members)} objects: {'; '.join(steps)}"


def public_names(kmod):
    """Return every identifier in the code of the public headers."""
    folder = os.path.join(kmod, "include", "memquota")
    names = set()
    for file in os.listdir(folder):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", " ", read(os.path.join(folder, file)),
                      flags=re.S)
        names.update(re.findall(r"\b[A-Za-z_]\w*", code))
    return names


def needs_upwards(graph, public):
    for name in sorted(graph):
        layer = layer_of(name)
        for other in sorted(graph[name]):
            lower = layer_of(other)
            allowed = ALL if lower == layer else LAYERS[layer].get(lower)
            for symbol in graph[name][other]:
                if allowed is None:
                    yield (f"{name} needs {symbol} of {other}: {layer} must "
                           f"not depend on {lower}")
                elif allowed is PUBLIC and symbol not in public:
                    yield (f"{name} needs {symbol} of {other}: no public "
                           "header declares it")


def includes_upwards(kmod):
    """Check each #include "file"; <file> is the kernel's, or public."""
    folders = [folder for folder in LAYERS if folder != "main"]
    sources = ["main.c"] + [f"{folder}/{file}" for folder in folders
                            for file in sorted(os.listdir(os.path.join(kmod, folder)))
                            if file.endswith((".c", ".h"))]
    for source in sources:
        layer = layer_of(source[:-len(".c")])
        for file in re.findall(r'^\s*#\s*include\s+"(.*)"',
                               read(os.path.join(kmod, source)), flags=re.M):
            path = os.path.normpath(os.path.join(os.path.dirname(source), file))
            lower = os.path.dirname(path)
            allowed = ALL if lower == layer else LAYERS[layer].get(lower)
            if path in SHARED and allowed:
                continue
            if allowed is None:
                yield (f"{source} includes {path}: {layer} must not depend on "
                       f"{lower}")
            elif allowed is PUBLIC:
                yield (f"{source} includes {path}: {layer} may include only "
                       "public headers")


def print_order(graph):
    level = {}
    for members in components(graph):
        below = [level[other] for name in members for other in graph[name]
                 if other not in members]
        for name in members:
            level[name] = max(below, default=-1) + 1
    groups = collections.defaultdict(list)
    for members in components(graph):
        text = " ".join(members)
        groups[level[members[0]]].append(
            f"[{text}]" if len(members) > 1 else text)
    for number in sorted(groups):
        print(f"{number:2}  {'  '.join(sorted(groups[number]))}")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--order"]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit(__doc__)
    kmod = arguments[0]
    names = linked_objects(kmod)
    if "--order" in sys.argv:
        print_order(dependencies(kmod, names))
        return 0
    graph = dependencies(kmod, names + sample_objects(kmod))
    findings = [*circles(graph), *needs_upwards(graph, public_names(kmod)),
                *includes_upwards(kmod)]
    print("\n".join(findings), end="\n" if findings else "")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
