import Foundation
import TestSupport
import Testing

/// What the style sheets name, beside what templates, views and scripts use.
@Suite("Style sheets")
struct StyleSheetTests {
    private static let pages = Repository.root.appending(path: "Sources/Appliance/Console/Pages")

    /// The files of the pages with an ending, one after the other.
    private static func text(_ ending: String) throws -> String {
        let files = try #require(FileManager.default.enumerator(atPath: pages.path))
        var texts: [String] = []
        for case let file as String in files where file.hasSuffix(".\(ending)") {
            texts.append(try String(contentsOf: pages.appending(path: file), encoding: .utf8))
        }
        try #require(!texts.isEmpty, "no file ends with .\(ending)")
        return texts.joined(separator: "\n")
    }

    private static func words(_ text: Substring) -> [String] {
        text.split { $0 == " " || $0 == "\n" }.map(String.init)
    }

    /// Classes that selectors name.
    private static func styled() throws -> Set<String> {
        let sheets = try text("css").replacing(#/\/\*[\s\S]*?\*\//#, with: "")
        let selectors = sheets.matches(of: #/([^{}]+)\{/#).map { $0.output.1 }
        return Set(selectors.flatMap { selector in
            selector.matches(of: #/\.([A-Za-z_][A-Za-z0-9_-]*)/#).map { String($0.output.1) }
        })
    }

    /// Classes that markup has, but for those that a view fills in. `data-kind` becomes a class of
    /// the dots that move along a line.
    private static func marked() throws -> Set<String> {
        let attributes = try text("mustache")
            .matches(of: #/(?:class|data-kind)="([^"]*)"/#).map { $0.output.1 }
        return Set(attributes.flatMap { words($0.replacing(#/\{\{[^}]*\}\}/#, with: " ")[...]) })
    }

    /// Classes that scripts give.
    private static func scripted() throws -> Set<String> {
        let script = try text("js")
        let lines = script.split(separator: "\n").filter {
            $0.contains("className") || $0.contains("classList") || $0.contains("'class'")
        }
        let quoted = lines.flatMap { $0.matches(of: #/'([a-z0-9 -]+)'/#).map { $0.output.1 } }
        return Set(quoted.flatMap(words)).subtracting(["class", "state", "tone"])
    }

    /// Words that views fill into a class: texts of theirs that could be nothing but classes.
    private static func filled() throws -> Set<String> {
        let views = try text("swift")
        var found = Set(
            views.matches(of: #/"([a-z0-9-]+(?: [a-z0-9-]+)*)"/#).flatMap { words($0.output.1) })
        // Ten places of a label beside a chart: `"t\(tenth)0"`.
        if views.contains(#""t\("#) { found.formUnion((0...10).map { "t\($0 * 10)" }) }
        return found
    }

    @Test("every class that a style sheet names is used by a template, a view or a script")
    func used() throws {
        let styled = try Self.styled()
        try #require(styled.count > 100)
        let used = try Self.marked().union(Self.scripted()).union(Self.filled())
        #expect(styled.subtracting(used).sorted() == [])
    }

    @Test("every class that a template or a script gives is in a style sheet")
    func defined() throws {
        let (marked, scripted) = (try Self.marked(), try Self.scripted())
        try #require(marked.count > 80 && !scripted.isEmpty)
        #expect(marked.union(scripted).subtracting(try Self.styled()).sorted() == [])
    }

    @Test("every size and colour that is set is used, and every one that is used is set")
    func tokens() throws {
        let sheets = try Self.text("css")
        let scripts = try Self.text("js")
        let set = Set(
            sheets.matches(of: #/(--[a-z0-9-]+)\s*:/#).map { String($0.output.1) })
        let used = Set(
            (sheets + scripts).matches(of: #/var\((--[a-z0-9-]+)/#).map { String($0.output.1) })
        try #require(set.count > 30)
        #expect(set.subtracting(used).sorted() == [])
        #expect(used.subtracting(set).sorted() == [])
    }
}
