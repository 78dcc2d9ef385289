import ArgumentParser
import Daemon

/// Wrong usage in one sentence that ends with where to look it up.
struct UsageSentence {
    let text: String

    /// What is wrong with the arguments before they are parsed: a verb is missing where only a
    /// group of verbs is named, or `help` is asked of a verb that is not there. `tillbox` alone
    /// asks for the overview.
    init?(beforeParsing arguments: [String]) {
        let asksForHelp = arguments.first == "help"
        let place = VerbPlace(asksForHelp ? Array(arguments.dropFirst()) : arguments)
        if asksForHelp {
            guard let sentence = place.unknownVerb else { return nil }
            text = sentence
            return
        }
        if let name = Self.repeated(in: place) {
            text = "\(name) is given twice; \(place.help)"
            return
        }
        guard place.rest.isEmpty, !place.verbs.isEmpty, place.names.count > 1 else { return nil }
        text = "\(place.path) wants one of: \(place.verbs.joined(separator: ", ")); \(place.help)"
    }

    /// An option that is given twice: the parser would take the last and drop the first without a
    /// word, and which of two was meant, of money or of a folder, is not for it to say.
    private static func repeated(in place: VerbPlace) -> String? {
        let mayBeRepeated = mayBeRepeated[place.path] ?? []
        var names: Set<Substring> = []
        for argument in place.rest.prefix(while: { $0 != "--" }) where argument.hasPrefix("--") {
            let name = argument.prefix { $0 != "=" }
            guard !mayBeRepeated.contains(name) else { continue }
            if !names.insert(name).inserted { return String(name) }
        }
        return nil
    }

    /// Options with a value for each time.
    private static let mayBeRepeated: [String: Set<Substring>] = [
        "tillbox dead-letter redrive": ["--offset"],
        "tillbox model backtest": ["--fees"],
        "tillbox warehouse check": ["--table"],
        "tillbox warehouse load": ["--table"],
        "tillbox twin": ["--key", "--endpoint", "--account"],
    ]

    /// - Parameter message: what the parser says of its error.
    init(_ message: String, arguments: [String]) {
        let place = VerbPlace(arguments)
        if let sentence = place.unknownVerb {
            text = sentence
            return
        }
        let sentence = Self.belowZero(message, arguments) ?? Self.nearOption(message)
            ?? Self.joined(message)
        // A question is advice already.
        text = sentence.hasSuffix("?") ? sentence : "\(sentence); \(place.help)"
    }

    /// The parser takes a number below zero for another option.
    private static func belowZero(_ message: String, _ arguments: [String]) -> String? {
        guard let option = message.firstMatch(of: /Missing value for '(--[a-z-]+)/)?.output.1,
            let place = arguments.firstIndex(of: String(option)),
            let value = arguments.dropFirst(place + 1).first,
            value.wholeMatch(of: /-[0-9.]+/) != nil
        else { return nil }
        return "\(option) is \(value), and must not be below 0"
    }

    /// The parser suggests the options of a command; these two every command has.
    private static func nearOption(_ message: String) -> String? {
        guard !message.contains("?"),
            let option = message.firstMatch(of: /Unknown option '(--[^']+)'/)?.output.1,
            let nearest = NearestWord.to(String(option), among: ["--help", "--version"])
        else { return nil }
        return "Unknown option '\(option)'. Did you mean '\(nearest)'?"
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
        // Where one of them is meant when none is named, any word may be that one's.
        let isChoice = command.configuration.defaultSubcommand == nil
        verbs = isChoice ? command.configuration.subcommands.map { $0._commandName } : []
    }

    var path: String { names.joined(separator: " ") }
    var help: String { "see: \(path) --help" }

    /// That what follows the names is no verb; nil where it may be something else.
    var unknownVerb: String? {
        guard !verbs.isEmpty, let word = rest.first, !word.hasPrefix("-") else { return nil }
        let nearest = NearestWord.to(word, among: verbs)
        return "\(path) has no verb \(word); " + (nearest.map { "did you mean \($0)?" } ?? help)
    }
}
