import Foundation
import Terminal

/// Commands that a sentence names, so that they work as they are pasted.
enum PastedCommand {
    /// The verbs that take `--data`, `--config` and `--profile` as the command before them did.
    private static let folderVerbs: Set<String> = [
        "run", "log", "ledger", "review", "dead-letter", "reconcile", "replay", "bridge", "status",
        "explain", "bank", "report", "backup", "doctor", "archive", "export", "warehouse", "model",
        "user", "token", "audit",
    ]

    /// The sentence with each command in it whole: `` `tillbox ledger verify` `` gets the path of
    /// this program, which need not be on anybody's PATH, and the folder, the configuration file
    /// and the profile that the command was given.
    ///
    /// - Parameter arguments: those after the program's name.
    static func completed(
        _ sentence: String, program: String = ShellWord.thisProgram,
        arguments: [String] = Array(CommandLine.arguments.dropFirst())
    ) -> String {
        let given = given(in: arguments)
        return sentence.replacing(/`tillbox ([^`]+)`/) { match in
            let words = String(match.output.1)
            var command = ShellWord.quoted(program) + " " + words
            let verb = words.split(separator: " ").first.map(String.init) ?? ""
            for (name, value) in given where !words.contains(name) {
                if name == "--config" ? takesConfiguration(verb) : folderVerbs.contains(verb) {
                    command += " \(name) \(ShellWord.quoted(value))"
                }
            }
            return "`\(command)`"
        }
    }

    private static func takesConfiguration(_ verb: String) -> Bool {
        verb == "cloud" || folderVerbs.contains(verb)
    }

    /// The values of these options, as far as the command was given them.
    private static func given(in arguments: [String]) -> [(name: String, value: String)] {
        guard let verb = arguments.first, takesConfiguration(verb) else { return [] }
        return ["--data", "--config", "--profile"].compactMap { name in
            var value: String?
            for (place, word) in arguments.enumerated() {
                if word.hasPrefix(name + "=") {
                    value = String(word.dropFirst(name.count + 1))
                } else if word == name, arguments.indices.contains(place + 1) {
                    value = arguments[place + 1]
                }
            }
            return value.map { (name, $0) }
        }
    }
}
