import Foundation
import TestSupport
import Testing

/// Every line of Swift fits into 100 columns, so that two files fit beside each other.
@Suite("Line length")
struct LineLengthTests {
    static let columnCountMax = 100

    /// Folders that are not done yet. This list only shrinks.
    static let open = ["Sources/Appliance/Twin", "Tests/Appliance/Twin"]

    /// The migrations word for word, indented: what a released one says is never wrapped anew.
    static let embedded = ["LedgerSchema", "ReconciliationSchema", "ReviewSchema", "WaitingSchema"]
        .map { "Sources/Appliance/Ledger/SQLite/\($0).swift" }

    /// `path:line` of every longer line in the sources and tests.
    static let long: [String] = {
        let folders = ["Sources", "Tests"].flatMap { top in
            let inside = FileManager.default.enumerator(
                atPath: Repository.root.appending(path: top).path)
            return (inside?.allObjects ?? []).compactMap { ($0 as? String).map { "\(top)/\($0)" } }
        }
        let files = folders.filter { $0.hasSuffix(".swift") }.sorted() + ["Package.swift"]
        return files.filter { !embedded.contains($0) }.flatMap(longLines)
    }()

    private static func longLines(of path: String) -> [String] {
        let file = Repository.root.appending(path: path)
        guard let text = try? String(contentsOf: file, encoding: .utf8)
        else { return ["\(path): unreadable"] }
        var found: [String] = []
        for (index, line) in text.components(separatedBy: "\n").enumerated()
        where line.count > columnCountMax {
            found.append("\(path):\(index + 1)")
        }
        return found
    }

    @Test("no line is longer than 100 columns")
    func fits() {
        let found = Self.long.filter { line in !Self.open.contains { line.hasPrefix($0 + "/") } }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("a folder whose lines all fit leaves the list of those that are not done")
    func listShrinks() {
        let done = Self.open.filter { folder in
            !Self.long.contains { $0.hasPrefix(folder + "/") }
        }
        #expect(done.isEmpty, "take them out: \(done.joined(separator: ", "))")
    }
}
