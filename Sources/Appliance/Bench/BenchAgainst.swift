import Foundation
import Terminal

/// `tillbox bench PART --against BINARY`: this release and another one, round by round.
///
/// Each round runs both programs once, as `bench PART --json --rounds 1`, and begins with the one
/// that the round before ended with: what slows the machine down for a while then slows down both.
/// Both are children with nothing but a table in common, so that the other may be any release that
/// knows `--json`.
struct BenchAgainst {
    let context: BenchContext
    /// The other program's file.
    let other: String
    /// Balance transactions that `reconcile` reads, where it is said.
    let rowCount: Int?
    /// Payments that `age` gives a box, where it is said.
    let paymentCount: Int?

    static let peer = "the other program"

    /// What one round says of one program. Other releases may write more of a row, or less.
    private struct Round: Decodable {
        struct Row: Decodable {
            var part: String
            var measure: String
            var unit: String
            var better: BenchRow.Better
            var value: Double
        }
        var rows: [Row]
    }

    /// What a measure came to in the rounds so far.
    private struct Measured {
        var row: Round.Row
        var ours: [Double] = []
        var theirs: [Double] = []

        var benchRow: BenchRow {
            let isPaired = ours.count == theirs.count
            return BenchRow(
                row.part, row.measure, unit: row.unit, better: row.better, ours,
                against: isPaired ? BenchAgainst.peer : nil, isPaired ? theirs : [])
        }
    }

    /// The other program's version.
    /// - Throws: `BenchError.notTillbox` for a file that is no such program.
    func version() throws -> String {
        guard FileManager.default.isExecutableFile(atPath: other),
            let answer = try? run(other, ["--version"], isQuiet: true),
            answer.status == 0,
            let help = try? run(other, ["bench", "--help"], isQuiet: true), help.status == 0,
            String(decoding: help.output, as: UTF8.self).contains("--json")
        else { throw BenchError.notTillbox(other) }
        return String(decoding: answer.output, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Every measure of the part, ours against theirs; one that theirs does not know stands alone.
    func run(_ part: String) throws -> [BenchRow] {
        var measured: [Measured] = []
        for round in 0..<context.rounds {
            context.show("\(part) against \(other)", round: round)
            let oursFirst = round.isMultiple(of: 2)
            let first = try measure(part, by: oursFirst ? BenchChild.executable : other)
            let second = try measure(part, by: oursFirst ? other : BenchChild.executable)
            add(oursFirst ? first : second, oursFirst ? second : first, to: &measured)
        }
        return measured.map { $0.benchRow }
    }

    private func add(_ ours: Round, _ theirs: Round, to measured: inout [Measured]) {
        if measured.isEmpty { measured = ours.rows.map { Measured(row: $0) } }
        for place in measured.indices {
            let row = measured[place].row
            func value(in round: Round) -> Double? {
                round.rows.first { $0.part == row.part && $0.measure == row.measure }?.value
            }
            if let value = value(in: ours) { measured[place].ours.append(value) }
            if let value = value(in: theirs) { measured[place].theirs.append(value) }
        }
    }

    private func measure(_ part: String, by program: String) throws -> Round {
        var arguments = ["bench", part, "--json", "--rounds", "1", "--folder", context.root]
        if context.isQuick { arguments.append("--quick") }
        if let rowCount, part == BenchCommand.Part.reconcile.rawValue {
            arguments += ["--rows", String(rowCount)]
        }
        if let paymentCount, part == BenchCommand.Part.age.rawValue {
            arguments += ["--payments", String(paymentCount)]
        }
        let answer = try run(program, arguments)
        guard answer.status == 0 else {
            throw BenchError.otherStopped(program, part, status: answer.status)
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let round = try? decoder.decode(Round.self, from: answer.output), !round.rows.isEmpty
        else { throw BenchError.notTillbox(program) }
        return round
    }

    /// Runs a program to its end.
    ///
    /// - Parameter isQuiet: whether what it says on standard error is left out.
    private func run(
        _ program: String, _ arguments: [String], isQuiet: Bool = false
    ) throws -> (status: Int32, output: Data) {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        if isQuiet { process.standardError = FileHandle.nullDevice }
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, bytes)
    }
}
