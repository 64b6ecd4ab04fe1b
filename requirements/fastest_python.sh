#!/bin/sh
# Prints the Python to make .venv with: the fastest of those installed, and on stderr which and why.
# Builds of one version differ by a tenth or more: distributions optimise theirs by profile, pyenv does not.
# Candidates must have venv and ensurepip. The first on PATH stays unless another is clearly faster.

PROBE='
import sys, time
import ensurepip, venv
class Probe:
    def __init__(self, value): self.value = value
    def step(self, other): return {"sum": self.value + other, "name": b"x" * 8}
def once():
    began, total = time.process_time_ns(), 0
    for number in range(20000): total += Probe(number).step(total)["sum"] & 7
    return time.process_time_ns() - began
if sys.version_info >= (3, 11): print(min(once() for _ in range(7)) // 1000, sys._base_executable)
'

best= best_time= seen=
for name in python3.11 /usr/bin/python3.11 /usr/local/bin/python3.11 python3; do
    # Any newer version will do, but only where there is no 3.11, which is what the requirements were locked for.
    [ "$name" = python3 ] && [ -n "$best" ] && continue
    command -v "$name" >/dev/null 2>&1 || continue
    found=$("$name" -I -c "$PROBE" 2>/dev/null) || continue
    [ -n "$found" ] || continue
    took=${found%% *} path=${found#* }
    case "$seen " in *" $path "*) continue ;; esac
    seen="$seen $path"
    if [ -z "$best" ] || [ $((took * 100)) -lt $((best_time * 95)) ]; then
        best=$path best_time=$took
    fi
done

if [ -z "$best" ]; then
    echo "no Python 3.11 or newer with venv and ensurepip was found; name one: make setup PYTHON=/path/to/python" >&2
    exit 1
fi
echo "Python: $best, the fastest of:$seen (PYTHON=/path/to/python chooses another)" >&2
echo "$best"
