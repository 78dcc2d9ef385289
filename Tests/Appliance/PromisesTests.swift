import Foundation
import TestSupport
import Testing

/// A promise is kept by a test that is there: the page may name no other.
@Suite("docs/PROMISES.md")
struct PromisesTests {
    private static func text(_ path: String) -> String {
        (try? String(contentsOf: Repository.root.appending(path: path), encoding: .utf8)) ?? ""
    }

    private static let page = text("docs/PROMISES.md")

    /// What begins a suite at the start of a line.
    private static let suiteWords: Set<Substring> = ["struct", "extension", "class"]

    /// The name behind one of the words: of a type at the start of its line, of a function
    /// anywhere.
    private static func name(behind keywords: Set<Substring>, in line: String) -> String? {
        let isIndented = line.first == " "
        guard isIndented == keywords.contains("func"), !line.isEmpty else { return nil }
        let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
        guard let place = words.firstIndex(where: { keywords.contains($0) }),
            place + 1 < words.count
        else { return nil }
        return String(words[place + 1])
    }

    /// The functions of every suite below Tests, by the suite's name; one name may stand in several
    /// targets.
    private static let tests: [String: Set<String>] = {
        let top = Repository.root.appending(path: "Tests")
        let files = FileManager.default.enumerator(at: top, includingPropertiesForKeys: nil)
        var found: [String: Set<String>] = [:]
        for case let file as URL in files ?? .init() where file.pathExtension == "swift" {
            let lines = ((try? String(contentsOf: file, encoding: .utf8)) ?? "")
                .components(separatedBy: "\n")
            var suite: String?
            var isTest = false
            for line in lines {
                if let name = name(behind: suiteWords, in: line) { suite = name }
                if line.hasPrefix("    @Test") { isTest = true }
                guard isTest, let suite, let function = name(behind: ["func"], in: line)
                else { continue }
                found[suite, default: []].insert(function)
                isTest = false
            }
        }
        return found
    }()

    /// The cells of every row of the tables below a heading, without heads and rules.
    private static func rows(of page: String, below heading: String) -> [[String]] {
        guard let start = page.firstRange(of: "## \(heading)\n")?.upperBound else { return [] }
        let rest = page[start...]
        let section = rest[..<(rest.firstRange(of: "\n## ")?.lowerBound ?? rest.endIndex)]
        let rows = section.split(separator: "\n").filter { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        guard let rule = rows.firstIndex(where: { $0.first?.hasPrefix("---") == true })
        else { return [] }
        return Array(rows[(rule + 1)...])
    }

    private static let headings = page.components(separatedBy: "\n")
        .filter { $0.hasPrefix("## ") }.map { String($0.dropFirst(3)) }

    /// What a row or a sentence names between back quotes and could be a test.
    private static func named(in text: String) -> [String] {
        text.matches(of: #/`([^`]+)`/#).map { String($0.output.1) }.filter {
            $0.contains(#/^\w+Tests(/\w+)?$/#) || $0.contains(#/^(Tests|deploy)/\S+\.\w+$/#)
        }
    }

    @Test("every test that is named is there")
    func exist() {
        let names = Self.named(in: Self.page)
        #expect(names.count > 150)
        for name in names {
            if name.contains(".") {
                let path = Repository.root.appending(path: name).path
                #expect(FileManager.default.fileExists(atPath: path), "no file \(name)")
                continue
            }
            let parts = name.split(separator: "/").map(String.init)
            let functions = Self.tests[parts[0]] ?? []
            #expect(!functions.isEmpty, "no suite \(parts[0]) with tests")
            if parts.count == 2 { #expect(functions.contains(parts[1]), "no test \(name)") }
        }
    }

    @Test("every promise has a test")
    func kept() {
        let rows = Self.headings.flatMap { Self.rows(of: Self.page, below: $0) }
        #expect(rows.count > 80)
        for row in rows {
            // "The same" leads to the row before.
            let isKept = !Self.named(in: row.last ?? "").isEmpty
            #expect(row.count >= 2 && isKept, "nothing keeps: \(row)")
        }
    }

    @Test("the README's promises stand here, each in its words")
    func readme() {
        let promises = Self.text("README.md").matches(of: #/(?m)^\d\. \*\*([^*]+)\*\*/#)
            .map { String($0.output.1) }
        #expect(promises.count == 4)
        #expect(Self.rows(of: Self.page, below: "The README's four").map { $0[0] } == promises)
    }

    @Test("each rule of RELIABILITY.md, and each demand of the oracle, has its row")
    func rules() {
        let reliability = Self.text("docs/RELIABILITY.md")
        let rules = Self.rows(of: reliability, below: "Rules, and where they are kept")
        #expect(rules.count > 25)
        let here = Self.rows(of: Self.page, below: "The rules of RELIABILITY.md")
        #expect(here.count == rules.count)
        let demands = reliability.matches(of: #/(?m)^([a-z])\. /#).map { "\($0.output.1)." }
        #expect(demands.count == 8)
        let rows = Self.rows(of: Self.page, below: "What the oracle demands after every fault")
        #expect(rows.map { String($0[0].prefix(2)) } == demands)
    }

    @Test("every section of the contracts that promises something has a row")
    func sections() {
        let numbers = Self.text("docs/CONTRACTS.md").matches(of: #/(?m)^## (\d+)\. /#)
            .map { String($0.output.1) }
        #expect(numbers.count >= 10)
        let here = Set(Self.rows(of: Self.page, below: "The contracts").map { $0[0] })
        #expect(here.isSuperset(of: numbers), "\(Set(numbers).subtracting(here))")
    }
}
