import Foundation
import TestSupport
import Testing

/// The library's pages, which `make docs` compiles: nothing that they name may be missing, where
/// nobody compiles them, too.
@Suite("The catalogue of AppendLog")
struct LogCatalogueTests {
    private static func texts(of folder: String, ending: String) -> [String: String] {
        let top = Repository.root.appending(path: folder)
        let files = FileManager.default.enumerator(at: top, includingPropertiesForKeys: nil)
        var found: [String: String] = [:]
        for case let file as URL in files ?? .init() where file.pathExtension == ending {
            found[file.lastPathComponent] = try? String(contentsOf: file, encoding: .utf8)
        }
        return found
    }

    private static let pages = texts(of: "Sources/AppendLog/AppendLog.docc", ending: "md")
    /// Names that the library's sources declare, by the word before each: `struct`, `func`, …
    private static let declared: [Substring: Set<Substring>] = {
        var found: [Substring: Set<Substring>] = [:]
        for text in texts(of: "Sources/AppendLog", ending: "swift").values {
            for line in text.split(separator: "\n") {
                let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
                for (word, next) in zip(words, words.dropFirst()) {
                    found[word, default: []].insert(next)
                }
            }
        }
        return found
    }()

    private static func isDeclared(_ name: some StringProtocol, as words: [Substring]) -> Bool {
        words.contains { declared[$0]?.contains(Substring(name)) == true }
    }

    @Test("every symbol that is linked is declared")
    func symbols() {
        let links = Set(
            Self.pages.values.flatMap { page in
                page.matches(of: #/``([A-Za-z][^`\n]*)``/#).map { String($0.output.1) }
            })
        #expect(links.count > 50)
        for link in links where link != "AppendLog" {
            let parts = link.split(separator: "/", maxSplits: 1).map(String.init)
            let types: [Substring] = ["class", "struct", "enum", "protocol"]
            #expect(Self.isDeclared(parts[0], as: types), "no type \(parts[0])")
            guard let member = parts.dropFirst().first?.prefix(while: { $0 != "(" }) else {
                continue
            }
            #expect(Self.isDeclared(member, as: ["func", "var", "let", "case"]), "no \(link)")
        }
    }

    @Test("every article that is linked is there, and every one that is there is linked")
    func articles() throws {
        let landing = try #require(Self.pages["AppendLog.md"])
        let linked = landing.matches(of: #/<doc:(\w+)>/#).map { "\($0.output.1).md" }
        #expect(Set(linked + ["AppendLog.md"]) == Set(Self.pages.keys))
    }

    @Test("the example that the pages lead to is there")
    func example() {
        let files = Self.texts(of: "docs/examples/tally", ending: "swift")
        #expect(Set(files.keys).isSuperset(of: ["Package.swift", "Tally.swift", "Main.swift"]))
    }
}
