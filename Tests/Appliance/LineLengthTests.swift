import Foundation
import TestSupport
import Testing

/// Every line of Swift fits into 100 columns, so that two files fit beside each other.
@Suite("Line length")
struct LineLengthTests {
    static let columnCountMax = 100

    /// `path:line` of every longer line in the sources and tests.
    static let long: [String] = {
        let folders = ["Sources", "Tests"].flatMap { top in
            let inside = FileManager.default.enumerator(
                atPath: Repository.root.appending(path: top).path)
            return (inside?.allObjects ?? []).compactMap { ($0 as? String).map { "\(top)/\($0)" } }
        }
        let files = folders.filter { $0.hasSuffix(".swift") }.sorted() + ["Package.swift"]
        return files.flatMap(longLines)
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
        #expect(Self.long.isEmpty, "\(Self.long.joined(separator: "\n"))")
    }
}
