import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import Command

/// What a person reads at three in the morning: it may not name what is not there.
@Suite("docs/RUNBOOK.md")
struct RunbookTests {
    private static let page: String = {
        let path = Repository.root.appending(path: "docs/RUNBOOK.md")
        return (try? String(contentsOf: path, encoding: .utf8)) ?? ""
    }()

    /// The lines of every block that is fenced as `language`.
    private static func lines(fencedAs language: String) -> [String] {
        var found: [String] = []
        var isInside = false
        for line in page.components(separatedBy: "\n") {
            if line.hasPrefix("```") {
                isInside = line == "```\(language)"
            } else if isInside, !line.isEmpty {
                found.append(line)
            }
        }
        return found
    }

    /// What the program's sources, and the package's scripts, have between quotes, as one text in
    /// which every sentence that a line break cuts stands in one piece.
    private static let sources: Data = {
        let tops = ["Sources/Appliance", "Sources/AppendLog", "deploy/debian"]
        let paths = tops.flatMap { top in
            let inside = FileManager.default.enumerator(
                atPath: Repository.root.appending(path: top).path)
            return (inside?.allObjects ?? []).compactMap { ($0 as? String).map { "\(top)/\($0)" } }
        }
        var text = ""
        for path in paths where path.hasSuffix(".swift") || path.hasSuffix("inst") {
            let file = Repository.root.appending(path: path)
            let source = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
            for line in source.split(separator: "\n") where line.utf8.contains(UInt8(ascii: "\"")) {
                let words = line.trimmingCharacters(in: .whitespaces)
                if words.hasPrefix("+ \""), text.hasSuffix("\"\n") {
                    text.removeLast(2)
                    text += words.dropFirst(3) + "\n"
                } else {
                    text += words + "\n"
                }
            }
        }
        return Data(text.utf8)
    }()

    @Test("every sentence that is quoted is one that the program says")
    func sentences() {
        let quoted = Self.lines(fencedAs: "text")
        #expect(quoted.count > 30)
        for sentence in quoted {
            let parts = sentence.split(separator: "…").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            for part in parts where part.count > 2 {
                let isSaid = Self.sources.range(of: Data(part.utf8)) != nil
                #expect(isSaid, "nothing says: \(part)")
            }
        }
    }

    /// `tillbox VERB [VERB] …`, wherever the page names one.
    private static let commands: Set<[String]> = {
        let named = page.matches(of: #/tillbox (?:tillbox )?((?:[a-z-]+ ?){1,2})/#).map { match in
            match.output.1.split(separator: " ").map(String.init).filter { !$0.hasPrefix("-") }
        }
        return Set(named.filter { !$0.isEmpty })
    }()

    @Test("every command that is named is one that the program has")
    func commandsExist() {
        let tops = Self.children(of: Tillbox.self)
        #expect(Self.commands.count > 15)
        for words in Self.commands {
            guard let verb = tops[words[0]] else {
                Issue.record("there is no command \(words[0])")
                continue
            }
            let further = Self.children(of: verb)
            // What follows a verb that has others below it is one of those, or an argument.
            guard words.count > 1, !further.isEmpty,
                verb.configuration.defaultSubcommand == nil
            else { continue }
            #expect(further[words[1]] != nil, "there is no command \(words)")
        }
    }

    private static func children(
        of command: any ParsableCommand.Type
    ) -> [String: any ParsableCommand.Type] {
        let pairs = command.configuration.subcommands.map { child in
            let name = child.configuration.commandName ?? "\(child)".lowercased()
            return (name, child)
        }
        return Dictionary(pairs) { first, _ in first }
    }

    @Test("every option that is named with a command is one of some command's")
    func options() {
        let options = Set(Self.page.matches(of: #/ (--[a-z][a-z-]+)/#).map { String($0.output.1) })
        let commands: [any ParsableCommand.Type] =
            [Tillbox.self] + Self.everyCommand(below: Tillbox.self)
        let known = commands.map { $0.helpMessage(columns: 500) }.joined(separator: "\n")
        // Those of other programs.
        let others: Set = ["--max-depth", "--now"]
        for option in options.subtracting(others) {
            #expect(known.contains(option), "no command has \(option)")
        }
    }

    private static func everyCommand(
        below command: any ParsableCommand.Type
    ) -> [any ParsableCommand.Type] {
        command.configuration.subcommands.flatMap { [$0] + everyCommand(below: $0) }
    }

    @Test("every check of the doctor leads to a chapter that is there, and to itself in the table")
    func chapters() {
        let headings = Self.page.components(separatedBy: "\n").filter { $0.hasPrefix("## ") }
            .map { String($0.dropFirst(3)) }
        for (check, chapter) in Finding.chapters {
            #expect(headings.contains(chapter), "\(check): \(chapter)")
            let rows = Self.page.components(separatedBy: "\n").filter {
                $0.hasPrefix("|") && $0.contains("`\(check)`") && $0.contains("[\(chapter)]")
            }
            #expect(rows.count == 1, "\(check) leads to \(chapter)")
        }
        #expect(Finding.act("no such check", "", "").chapter == nil)
    }

    @Test("what the daemon warns of leads to the chapter that quotes it")
    func warnings() {
        for (words, chapter) in DaemonWarnings.chapters {
            let parts = Self.page.components(separatedBy: "\n## ")
            let text = parts.first { $0.hasPrefix("\(chapter)\n") } ?? ""
            // The page has … for what differs.
            let quoted = words.trimmingCharacters(in: .whitespaces)
            #expect(text.contains(quoted), "\(chapter) quotes nothing like: \(quoted)")
        }
    }

    /// A link within the page leads to a heading as GitHub writes its anchor.
    @Test("every link within the page leads somewhere")
    func anchors() {
        let anchors = Self.page.components(separatedBy: "\n").filter { $0.hasPrefix("## ") }
            .map { heading in
                heading.dropFirst(3).lowercased()
                    .filter { $0.isLetter || $0.isNumber || " -".contains($0) }
                    .replacing(" ", with: "-")
            }
        let links = Self.page.matches(of: #/\]\(#([^)]+)\)/#).map { String($0.output.1) }
        #expect(links.count > 15)
        for link in links { #expect(anchors.contains(link), "\(link)") }
    }
}
