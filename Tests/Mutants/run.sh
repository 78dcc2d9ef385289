#!/usr/bin/env bash
# Proves that the tests bite: plants one defect after the other in a copy of the tree and demands
# that a test fails each time.
#
#   Tests/Mutants/run.sh [NAME…]        all mutants, or those that are named
#
# A mutant is Tests/Mutants/NAME.patch: what it plants, which tests must fail
# (`Killed-by:`, a filter of `swift test`), and a unified diff. First the same tests run on the tree
# as it is, and must pass. Then, for each mutant: apply, build, run its tests, take it back.
#
#   killed     an expectation failed, as it must
#   SURVIVED   every test passed: one is missing
#   ERROR      the harness itself is broken: the patch does not apply or build, the filter finds no
#              test, or the tests end otherwise than by an expectation (a crash, a hang)
#
# Exit code 0 if all were killed, 1 if one survived, 2 on an error.
#
# MUTANTS_FOLDER=path  where the copy and its build are kept; default .build-mutants
# MUTANTS_JOBS=n       how many compilers run at once
# MUTANTS_SECONDS=n    after which tests count as hanging; default 300
# MUTANTS_BASELINE=no  leaves out the run without a mutant, where the tests are known to pass
# TILLBOX_SIMULATE_COUNT=n  seeds of each simulation; default 2, enough for a defect
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
copy=${MUTANTS_FOLDER:-$root/.build-mutants}
patches=$root/Tests/Mutants
export TILLBOX_SIMULATE_COUNT=${TILLBOX_SIMULATE_COUNT:-2}
mkdir -p "$copy/log"
copy=$(cd "$copy" && pwd)
[[ $copy != "$root" ]] || { echo "MUTANTS_FOLDER is the tree itself" >&2 && exit 2; }

names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
    for patch in "$patches"/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
for name in "${names[@]}"; do
    [[ -f $patches/$name.patch ]] || { echo "no Tests/Mutants/$name.patch" >&2 && exit 2; }
done

# Copies what differs. A file that is the same keeps its time, so that only the others are built.
take() {
    local file
    while IFS= read -r file; do
        cmp -s "$root/$file" "$copy/$file" && continue
        mkdir -p "$(dirname "$copy/$file")"
        cp -P --remove-destination "$root/$file" "$copy/$file"
    done
}

refresh() {
    local files file
    files=$(git ls-files --cached --others --exclude-standard | while IFS= read -r file; do
        [[ -e $file ]] && printf '%s\n' "$file"
    done | sort)
    take <<<"$files"
    (cd "$copy" && find Sources Tests migrations model \( -type f -o -type l \) | sort) |
        comm -23 - <(printf '%s\n' "$files") | while IFS= read -r file; do rm "$copy/$file"; done
    # What need not be fetched and made again.
    for environment in "$root"/.venv*; do
        ln -sfn "$environment" "$copy/${environment##*/}"
    done
    [[ -f Package.resolved ]] && take <<<Package.resolved
    if [[ ! -d $copy/.build && -d .build/checkouts ]]; then
        mkdir "$copy/.build"
        cp -a .build/checkouts .build/repositories .build/workspace-state.json "$copy/.build/"
    fi
    log_package
}

# The log alone, for mutants of the log: it builds in seconds.
log_package() {
    ln -sfn ../Sources "$copy/log/Sources"
    ln -sfn ../Tests "$copy/log/Tests"
    cat >"$copy/log/Package.swift.new" <<'SWIFT'
// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
]
let package = Package(
    name: "log",
    platforms: [.macOS(.v15)],
    targets: [
        .target(name: "CChecksum", path: "Sources/AppendLog/CLibraries/CChecksum"),
        .target(
            name: "AppendLog", dependencies: ["CChecksum"],
            path: "Sources/AppendLog", exclude: ["CLibraries"], swiftSettings: strict),
        .target(name: "CAllocations", path: "Tests/Support/CLibraries/CAllocations"),
        .target(
            name: "TestSupport", dependencies: ["CAllocations"],
            path: "Tests/Support", exclude: ["CLibraries"], swiftSettings: strict),
        .target(
            name: "LogSupport", dependencies: ["AppendLog"],
            path: "Tests/AppendLog/Support", swiftSettings: strict),
        .testTarget(
            name: "AppendLogTests", dependencies: ["AppendLog", "LogSupport", "TestSupport"],
            path: "Tests/AppendLog", exclude: ["Record/kafka_records.py", "Support"],
            swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["AppendLog", "LogSupport", "TestSupport"],
            path: "Tests/Simulation", swiftSettings: strict),
    ]
)
SWIFT
    cmp -s "$copy/log/Package.swift.new" "$copy/log/Package.swift" ||
        cp "$copy/log/Package.swift.new" "$copy/log/Package.swift"
    rm "$copy/log/Package.swift.new"
}

killers() { sed -n 's/^Killed-by: //p' "$patches/$1.patch"; }
patched() { sed -n 's|^+++ b/||p' "$patches/$1.patch"; }

# The package that a mutant's tests are in.
package() {
    if killers "$1" | grep -qv '^\(AppendLogTests\|SimulationTests\)\.'; then echo .; else echo log; fi
}

# build PACKAGE LOG
build() {
    (cd "$copy/$1" && swift build ${MUTANTS_JOBS:+-j "$MUTANTS_JOBS"} --build-tests) >"$2" 2>&1
}

# run_tests PACKAGE FILTER LOG: without `swift test`, which plans the whole build anew each time.
run_tests() {
    (cd "$copy/$1" && NO_COLOR=1 timeout "${MUTANTS_SECONDS:-300}" \
        .build/debug/*PackageTests.xctest --testing-library swift-testing --filter "$2") >"$3" 2>&1
}

row() { printf '%-34s %-9s %s\n' "$1" "$2" "$3"; }

# judge NAME: what became of the mutant that is planted now, as `verdict<TAB>detail`.
judge() {
    local log=$copy/$1.log package code=0 name
    package=$(package "$1")
    build "$package" "$log" || { printf 'ERROR\tit does not build: %s\n' "$log" && return; }
    run_tests "$package" "$(killers "$1")" "$log" || code=$?
    if [[ $code -eq 124 ]]; then
        printf 'ERROR\tthe tests hang: %s\n' "$log"
    elif ! grep -q 'Test run with [1-9][0-9]* test.* \(passed\|failed\) after' "$log"; then
        printf 'ERROR\tno test ran to its end: %s\n' "$log"
    elif [[ $code -eq 0 ]]; then
        printf 'SURVIVED\t%s\n' "$(killers "$1")"
    else
        name=$(sed -n 's/^.*Test \(.*\) recorded an issue.*: \(Expectation failed\|Issue recorded\).*$/\1/p' \
            "$log" | head -1)
        if [[ -n $name ]]; then
            printf 'killed\t%s\n' "$name"
        else
            printf 'ERROR\tno expectation failed: %s\n' "$log"
        fi
    fi
}

echo "==> copying the tree to $copy"
refresh

for package in log .; do
    [[ ${MUTANTS_BASELINE:-yes} != no ]] || break
    filter=""
    for name in "${names[@]}"; do
        [[ $(package "$name") == "$package" && "$filter|" != *"|$(killers "$name")|"* ]] &&
            filter+="|$(killers "$name")"
    done
    [[ -n $filter ]] || continue
    echo "==> the same tests on the tree as it is ($package)"
    build "$package" "$copy/build.log" || { tail -20 "$copy/build.log" >&2 && exit 2; }
    MUTANTS_SECONDS=1200 run_tests "$package" "${filter#|}" "$copy/baseline.log" ||
        { grep '✘' "$copy/baseline.log" >&2 || tail -20 "$copy/baseline.log" >&2; exit 2; }
done

survivors=0 errors=0
row MUTANT RESULT "BY THE TEST"
for name in "${names[@]}"; do
    # Outside of any repository, or git would pass over paths that it thinks are not its own.
    if (cd "$copy" && GIT_CEILING_DIRECTORIES=$(dirname "$copy") \
        git apply --whitespace=nowarn "$patches/$name.patch") >"$copy/$name.log" 2>&1; then
        IFS=$'\t' read -r verdict detail <<<"$(judge "$name")"
    else
        verdict=ERROR detail="the patch no longer applies: $copy/$name.log"
    fi
    patched "$name" | take
    row "$name" "$verdict" "$detail"
    case $verdict in
    SURVIVED) survivors=$((survivors + 1)) ;;
    ERROR) errors=$((errors + 1)) ;;
    esac
done
echo "${#names[@]} mutants, $survivors survived, $errors errors"
[[ $errors -eq 0 ]] || exit 2
[[ $survivors -eq 0 ]]
