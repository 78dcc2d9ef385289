import ArgumentParser
import Daemon

/// Wrong usage in one sentence that ends with where to look it up.
struct UsageSentence {
    let text: String

    /// What the arguments lack before they are parsed: a verb where only a group of verbs is named.
    /// `tillbox` alone asks for the overview.
    init?(missingVerbIn arguments: [String]) {
        let place = VerbPlace(arguments)
        guard place.rest.isEmpty, !place.verbs.isEmpty, place.names.count > 1 else { return nil }
        text = "\(place.path) wants one of: \(place.verbs.joined(separator: ", ")); \(place.help)"
    }

    /// - Parameter message: what the parser says of its error.
    init(_ message: String, arguments: [String]) {
        let place = VerbPlace(arguments)
        if !place.verbs.isEmpty, let word = place.rest.first, !word.hasPrefix("-") {
            let nearest = NearestWord.to(word, among: place.verbs)
            let hint = nearest.map { "did you mean \($0)?" } ?? "see: \(place.path) --help"
            text = "\(place.path) has no verb \(word); \(hint)"
            return
        }
        let sentence = Self.joined(message)
        // A question is advice already.
        text = sentence.hasSuffix("?") ? sentence : "\(sentence); \(place.help)"
    }

    /// The parser lists what a value may be below its sentence; here it stands within.
    private static func joined(_ message: String) -> String {
        let lines = message.split(separator: "\n").map { line in
            line.drop { $0 == " " }
        }
        let choices = lines.filter { $0.hasPrefix("- ") }.map { String($0.dropFirst(2)) }
        let sentence = lines.filter { !$0.hasPrefix("- ") }.joined(separator: " ")
        let whole = choices.isEmpty ? sentence : "\(sentence) \(choices.joined(separator: ", "))"
        return whole.hasSuffix(".") ? String(whole.dropLast()) : whole
    }
}

/// How far the arguments name a command.
private struct VerbPlace {
    /// The names of the commands, from `tillbox` on.
    var names: [String]
    /// What may follow; empty for a command of its own.
    var verbs: [String]
    /// The arguments after the names.
    var rest: ArraySlice<String>

    init(_ arguments: [String]) {
        var command: any ParsableCommand.Type = Tillbox.self
        names = [Tillbox._commandName]
        rest = arguments[...]
        while let word = rest.first,
            let next = command.configuration.subcommands.first(where: { $0._commandName == word })
        {
            command = next
            names.append(word)
            rest = rest.dropFirst()
        }
        verbs = command.configuration.subcommands.map { $0._commandName }
    }

    var path: String { names.joined(separator: " ") }
    var help: String { "see: \(path) --help" }
}
