import Appliance
import ArgumentParser
import Foundation
import Terminal
import Vocabulary

extension LedgerCommand {
    /// `ledger export`
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write every transaction for another program: JSON, CSV or beancount.",
            discussion: """
                Transactions come in the order of the ledger, as far as it has come when this \
                begins. --from and --to pick those that took effect in the period. With --out the \
                file is there as a whole or not at all.
                """)
        @OptionGroup var data: DataOptions
        @Option(help: "The format.") var format = LedgerExportFormat.json
        @Option(
            help: "Only what took effect then or later: RFC 3339, a UTC date, or Unix seconds.",
            transform: Moment.parse)
        var from: Moment?
        @Option(
            help: "Only what took effect then or earlier; a date is included as a whole.",
            transform: Moment.parse)
        var to: Moment?
        @Option(help: "Write to this file; standard output by default.") var out: String?

        func validate() throws {
            guard let from, let to, from.start > to.end else { return }
            throw ValidationError("--from lies behind --to")
        }

        mutating func run() async throws {
            var export = LedgerExport(format: format)
            if let from { export.from = from.start }
            if let to { export.to = to.end }
            let ledger = try await data.ledger()
            let out = out
            try await orCannotRun {
                try out.map { try Self.write(export, of: ledger, to: $0) }
                    ?? Self.print(export, of: ledger)
            }
        }

        private static func print(_ export: LedgerExport, of ledger: any LedgerReading) throws {
            // Two that draw on one terminal would draw over each other.
            let bar = isatty(STDOUT_FILENO) == 1 ? nil : ProgressBar(label: "exporting")
            defer { bar?.clear() }
            try export.run(ledger, progress: { bar?.show($0, of: $1) }) {
                (text) throws(CommandFailure) in
                try Output.standard.write(Array(text.utf8))
            }
        }

        private static func write(
            _ export: LedgerExport, of ledger: any LedgerReading, to path: String
        ) throws {
            let bar = ProgressBar(label: "exporting")
            defer { bar.clear() }
            let file = try WholeFile(path)
            do {
                try export.run(ledger, progress: { bar.show($0, of: $1) }, file.write)
                try file.keep()
            } catch {
                file.discard()
                throw error
            }
        }
    }
}

extension LedgerExportFormat: ExpressibleByArgument {}

/// A file that is written beside its place and put there at the end: whoever looks sees the one
/// before, or all of the new one.
final class WholeFile {
    private let path, draft, advice: String
    private let descriptor: Int32

    /// - Parameter advice: what to do where it cannot be written there, as an error says it.
    /// - Throws: a sentence where it cannot be.
    init(
        _ path: String, advice: String = "choose another place with --out"
    ) throws(CommandFailure) {
        self.advice = advice
        self.path = try Self.place(of: path, advice)
        Self.removeLeft(of: self.path)
        draft = "\(self.path)\(Self.mark)\(getpid())"
        // A file of its own: a link that somebody has put there would lead root elsewhere.
        unlink(draft)
        let descriptor = open(draft, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(path, errno, advice) }
        self.descriptor = descriptor
    }

    /// What stands between a draft's own name and the number of the process that writes it.
    private static let mark = ".part-"

    /// Removes what killed runs have left of the same file: drafts whose process has ended.
    private static func removeLeft(of path: String) {
        let place = URL(filePath: path)
        let folder = place.deletingLastPathComponent().path
        let prefix = place.lastPathComponent + mark
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix(prefix) {
            guard let process = Int32(name.dropFirst(prefix.count)), process > 0,
                kill(process, 0) != 0, errno == ESRCH
            else { continue }
            try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
    }

    /// Where a link leads to, so that it stays one. A device or a pipe is not replaced by a file.
    private static func place(
        of path: String, _ advice: String
    ) throws(CommandFailure) -> String {
        let place = URL(filePath: path).resolvingSymlinksInPath().path
        let found = try? FileManager.default.attributesOfItem(atPath: place)
        switch found?[.type] as? FileAttributeType {
        case nil, .typeRegular:
            if let folder = dataFolder(of: place) {
                throw .cannotRun(
                    "\(path) is kept in the data folder \(folder), and would be lost; choose "
                        + "another place with --out")
            }
            return place
        case .typeDirectory: throw failure(path, EISDIR, advice)
        default:
            throw .cannotRun(
                "\(path) is a device or a pipe, and --out writes a file; leave --out away and send "
                    + "standard output there")
        }
    }

    /// The data folder that keeps what stands at a place, or would; nil for any other place. A name
    /// too many with --out must not cost the books.
    private static func dataFolder(of place: String) -> String? {
        let own: Set = [
            "alerts.json", "archive", "backup.json", "bridges", "console", "features", "format",
            "gate", "holder", "log", "reserve", "restoring", "warehouse",
        ]
        var folder = URL(filePath: place).absoluteURL.standardizedFileURL
        while folder.path != "/" {
            let name = folder.lastPathComponent
            folder = folder.deletingLastPathComponent()
            guard own.contains(name) || name.hasPrefix("ledger.sqlite") else { continue }
            if FileManager.default.fileExists(atPath: "\(folder.path)/log/identity") {
                return folder.path
            }
        }
        return nil
    }

    deinit { close(descriptor) }

    func write(_ text: String) throws(CommandFailure) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // SAFETY: the slice's bytes live through the call, which reads at most its length.
            let count = rest.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress, $0.count)
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw Self.failure(path, errno, advice)
            }
        }
    }

    /// Puts it in its place, durably.
    ///
    /// - Throws: a sentence; the file may stand there all the same, and be gone after a loss of
    ///   power.
    func keep() throws(CommandFailure) {
        guard fsync(descriptor) == 0, rename(draft, path) == 0 else {
            throw Self.failure(path, errno, advice)
        }
        // The name is the folder's, and as durable as that.
        let folder = open(
            URL(filePath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { throw Self.failure(path, errno, advice) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw Self.failure(path, errno, advice) }
    }

    /// Gives back its room, where it could not be written to its end.
    func discard() { unlink(draft) }

    private static func failure(
        _ path: String, _ code: Int32, _ advice: String
    ) -> CommandFailure {
        .cannotRun("\(path) could not be written: \(String(cString: strerror(code))); \(advice)")
    }
}
