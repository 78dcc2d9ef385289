#!/usr/bin/env bash
# Builds and runs the fuzz targets: Tests/Fuzz/run.sh [SECONDS for each target, default 10] [NAME…]
#
# A target NAME is
#   NAMEFuzz.swift   exports LLVMFuzzerTestOneInput(bytes, count) with @_cdecl;
#   NAME.sources     what it is compiled with, one a line relative to the repository: .swift (one
#                    module with NAMEFuzz.swift), .c, .cpp. A line that begins with - holds flags
#                    for the compilers and the linker (-lcrypto, -Ipath). # begins a comment.
#   NAME.corpus/     inputs to start from, if there.
#
# FUZZ_SEED=n repeats a run; without it each run has a new seed, which is printed. A crash ends the
# run with exit code 1, the path of the input and its bytes. `run.sh 0` only builds.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=.build-fuzz
mkdir -p "$out"

seconds=10
if [[ $# -gt 0 && $1 =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
fi
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
    for list in Tests/Fuzz/*.sources; do names+=("$(basename "$list" .sources)"); done
fi
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}

sanitize=fuzzer-no-link,address
# The targets stand in for the rooms, whose imports are then without a use: no warnings.
swift_flags=(
    -swift-version 6 -package-name tillbox -parse-as-library -wmo -O -g -use-ld=lld -suppress-warnings
    -enable-upcoming-feature ExistentialAny
    -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature MemberImportVisibility
    -enable-upcoming-feature NonisolatedNonsendingByDefault
    -enable-upcoming-feature InferIsolatedConformances
)

# Sets swift, c, cpp and flags from NAME.sources.
read_sources() {
    swift=("Tests/Fuzz/$1Fuzz.swift") c=() cpp=() flags=()
    local line words
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line%%#*}
        line=${line%"${line##*[![:space:]]}"}
        case $line in
        "") ;;
        -*) read -ra words <<<"$line" && flags+=("${words[@]}") ;;
        *.swift) swift+=("$line") ;;
        *.c) c+=("$line") ;;
        *.cpp) cpp+=("$line") ;;
        *) echo "Tests/Fuzz/$1.sources: not .swift, .c, .cpp or a flag: $line" >&2 && return 2 ;;
        esac
    done <"Tests/Fuzz/$1.sources"
}

# One line that changes when anything the target is built from does, headers included.
fingerprint() {
    local headers=() folder
    for folder in $(for f in "${c[@]}" "${cpp[@]}"; do dirname "$f"; done | sort -u); do
        while IFS= read -r f; do headers+=("$f"); done \
            < <(find "$folder" -name '*.h' -o -name '*.modulemap' | sort)
    done
    { cat Tests/Fuzz/run.sh "Tests/Fuzz/$1.sources" "${swift[@]}" "${c[@]}" "${cpp[@]}" \
        "${headers[@]}" && swiftc --version 2>/dev/null; } | cksum
}

build() {
    local name=$1 dir=$out/$1 new objects=() file compiler_flags=() linker_flags=() flag
    read_sources "$name"
    new=$(fingerprint "$name")
    if [[ -x $dir/fuzz && -f $dir/fingerprint && $(<"$dir/fingerprint") == "$new" ]]; then
        return
    fi
    echo "fuzz $name: building"
    rm -rf "$dir"
    mkdir -p "$dir"
    for flag in "${flags[@]}"; do
        case $flag in
        -l* | -L* | -Wl,*) linker_flags+=("$flag") ;;
        *) compiler_flags+=("$flag") ;;
        esac
    done
    for file in "${c[@]}"; do
        objects+=("$dir/${#objects[@]}.o")
        clang -O1 -g -fsanitize=$sanitize "${compiler_flags[@]}" -c "$file" -o "${objects[-1]}"
    done
    for file in "${cpp[@]}"; do
        objects+=("$dir/${#objects[@]}.o")
        clang++ -std=c++17 -O1 -g -fsanitize=$sanitize "${compiler_flags[@]}" \
            -c "$file" -o "${objects[-1]}"
    done
    if [[ ${#cpp[@]} -gt 0 ]]; then linker_flags+=(-lstdc++); fi
    swiftc -emit-executable "${swift_flags[@]}" -sanitize=fuzzer,address \
        -module-name "${name}Fuzz" \
        -emit-module-path "$dir/${name}Fuzz.swiftmodule" \
        "${compiler_flags[@]}" "${swift[@]}" "${objects[@]}" "${linker_flags[@]}" -o "$dir/fuzz"
    echo "$new" >"$dir/fingerprint"
}

run() {
    local name=$1 dir=$out/$1 corpora log input
    log=$dir/log
    # Found inputs are not kept for the next run: then a seed alone would not repeat it.
    rm -rf "$dir/found" && mkdir -p "$dir/found" "$dir/crashes"
    corpora=("$dir/found")
    if [[ -d Tests/Fuzz/$name.corpus ]]; then corpora+=("Tests/Fuzz/$name.corpus"); fi
    echo "fuzz $name: $seconds s, FUZZ_SEED=$seed"
    rm -f "$dir"/crashes/*
    if ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} "$dir/fuzz" "${corpora[@]}" \
        -seed="$seed" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$dir/crashes/" >"$log" 2>&1; then
        grep -E 'number_of_executed_units' "$log" | sed "s/^stat::/fuzz $name: /" || true
        return
    fi
    tail -n 60 "$log" >&2
    for input in "$dir"/crashes/*; do
        [[ -e $input ]] || continue
        echo "fuzz $name: CRASHED (FUZZ_SEED=$seed) by $input; run it with: $dir/fuzz $input" >&2
        od -A x -t x1z "$input" >&2
    done
    echo "fuzz $name: FAILED, the whole log is $log" >&2
    return 1
}

for name in "${names[@]}"; do
    if [[ ! -f Tests/Fuzz/$name.sources ]]; then
        echo "There is no fuzz target $name: Tests/Fuzz/$name.sources is missing." >&2
        exit 2
    fi
    build "$name"
    if [[ $seconds -gt 0 ]]; then run "$name"; fi
done
