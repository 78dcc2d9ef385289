import Appliance
import ArgumentParser
import Backup
import Daemon
import Foundation
import Reconcile
import Terminal
import Vocabulary

extension ArchiveCommand {
    /// `archive move DIR`
    struct Move: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move whole segments of sealed months to a cold folder.",
            discussion: """
                Of the months that are older than archive.keep_months (13). Each segment is \
                copied, synced, read again and compared, and noted in log/cold before it leaves \
                the data folder: at once where no daemon runs, else by the daemon within a \
                minute. Killed anywhere, it goes on when it is run again.
                """)
        @OptionGroup var options: Options
        @Argument(help: "The cold folder: an empty one, or one with this log's segments.")
        var dir: String

        mutating func run() async throws {
            let settings = try await options.settings()
            guard settings.retentionDays == nil else {
                throw CommandFailure.cannotRun(
                    "log.retention_days deletes what is to be moved, and would leave a gap; remove "
                        + "it, then start the daemon again")
            }
            try FolderOwner.become(of: settings.dataPath, making: dir)
            let place = DataFolder(existingAt: settings.dataPath).archivePlace
            let bar = ProgressBar(label: "moving")
            let now = Instant(seconds: Int64(Date().timeIntervalSince1970))
            let cutoff = CalendarMonth.start(of: now, back: settings.keptMonths)
            let dir = dir
            let (report, released) = try await orCannotRun {
                defer { bar.clear() }
                let report = try ArchiveMove(of: place) { bar.show($0, of: $1, $2) }
                    .run(to: dir, cutoff: cutoff, keptMonths: settings.keptMonths)
                return (report, try await EmbeddedPlane.releaseCold(settings))
            }
            try options.json ? print(report, released) : tell(report, released)
        }

        private func tell(_ report: MoveReport, _ released: Int?) throws(CommandFailure) {
            let bytes = Figures.counted(report.movedByteCount, "byte")
            let segments = Counted.words(report.movedCount, "segment")
            guard report.movedCount + report.pendingCount + (released ?? 0) > 0 else {
                return try Output.standard.line(
                    """
                    nothing was to be moved: no closed segment in the data folder lies wholly in \
                    months up to \(report.through)
                    """)
            }
            let left =
                released.map { "\(Counted.words($0, "segment")) left the data folder" }
                ?? "the daemon that runs lets what was copied go within a minute"
            try Output.standard.line(
                """
                copied \(segments) (\(bytes)) of months up to \
                \(report.through) to \(report.folder), each read again and compared
                \(left)
                """)
        }

        private func print(_ report: MoveReport, _ released: Int?) throws(CommandFailure) {
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("through", report.through)
            writer.member("folder", report.folder)
            writer.member("copied", Int64(report.movedCount))
            writer.member("copied_bytes", report.movedByteCount)
            writer.member("pending", Int64(report.pendingCount))
            writer.member("released", released.map { Int64($0) })
            writer.endObject()
            try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }
    }

    /// `archive list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the sealed months, and what of them lies in which cold folder.",
            discussion: "Looks at the cold files' sizes; exit code 1 where one is missing or cut.")
        @OptionGroup var options: Options

        mutating func run() async throws {
            let place = try await options.place()
            let (seals, shares) = try await orCannotRun {
                (try place.allSeals(), try place.shares())
            }
            let months = seals.map { seal, digest -> [String: Table.Cell] in
                [
                    "month": .text(seal.month.name),
                    "sealed": .text(Instant(seconds: seal.sealedAt / 1_000).rfc3339),
                    "reconciled": .flag(seal.isReconciled),
                    "transactions": .number(seal.transactions),
                    "bytes": .number(seal.reaches.reduce(0) { $0 + $1.bytes }),
                    "lies": .text(shares.place(of: seal).rawValue),
                    "sha256": .text(options.json ? digest : "\(digest.prefix(16))…"),
                ]
            }
            let cold = shares.folders.map { folder -> [String: Table.Cell] in
                [
                    "folder": .text(folder.path), "segments": .number(Int64(folder.count)),
                    "bytes": .number(folder.byteCount), "there": .flag(folder.isThere),
                ]
            }
            let tables = [
                (
                    "months", Table(
                        columns: [
                            "month", "sealed", "reconciled", "transactions", "bytes", "lies",
                            "sha256",
                        ], rows: months)
                ),
                ("folders", Table(columns: ["folder", "segments", "bytes", "there"], rows: cold)),
            ]
            try Output.standard.line(
                options.json
                    ? "{" + tables.map { $1.members(named: $0) }.joined(separator: ",") + "}"
                    : tables.filter { !$1.rows.isEmpty || $0 == "months" }.map { $1.text() }
                        .joined(separator: "\n\n"))
            if let fault = shares.fault {
                throw CommandFailure.foundSomething("\(fault.says); \(fault.todo)")
            }
        }
    }

    /// `archive return`
    struct Return: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy every cold segment back into the data folder.",
            discussion: """
                While no daemon runs. Each file is compared with its hash. The files in the cold \
                folders stay; the log forgets them.
                """)
        @OptionGroup var options: Options

        mutating func run() async throws {
            let settings = try await options.ownersSettings()
            let bar = ProgressBar(label: "returning")
            let back = try await orCannotRun {
                defer { bar.clear() }
                return try DataFolder(existingAt: settings.dataPath).bringBack {
                    bar.show($0, of: $1, $2)
                }
            }
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("returned", Int64(back.count))
            writer.member("bytes", back.byteCount)
            writer.endObject()
            try Output.standard.line(
                options.json
                    ? String(decoding: writer.bytes, as: UTF8.self)
                    : Self.words(count: back.count, byteCount: back.byteCount))
        }

        static func words(count: Int, byteCount: Int64) -> String {
            guard count > 0 else {
                return "nothing was to come back: no segment is in a cold folder"
            }
            return "\(Counted.words(count, "segment")) (\(Figures.counted(byteCount, "byte"))) "
                + "\(Counted.noun(count, "is", "are")) back; the cold folders still have "
                + "\(Counted.noun(count, "its file", "their files"))"
        }
    }
}

extension CalendarMonth {
    /// Where the month begins that lies `count` months before that of a moment.
    static func start(of moment: Instant, back count: Int) -> Instant {
        let words = moment.rfc3339.split(separator: "-").prefix(2).compactMap { Int($0) }
        guard words.count == 2 else { preconditionFailure("a moment \(moment.rfc3339)") }
        let months = words[0] * 12 + words[1] - 1 - count
        let (year, month) = (months / 12, months % 12 + 1)
        let digits = { (number: Int, width: Int) in
            String(repeating: "0", count: max(0, width - String(number).count)) + String(number)
        }
        return CalendarMonth("\(digits(year, 4))-\(digits(month, 2))")?.from
            ?? Instant(seconds: 0)
    }
}

extension Table {
    /// `"<name>":[…]`, to stand beside another one.
    fileprivate func members(named name: String) -> String {
        String(json(named: name).dropFirst().dropLast())
    }
}
