import ArgumentParser
import Daemon
import Foundation
import Terminal

/// `tillbox init`: what a box has to be told before its first start.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Ask four questions, and write the configuration and the secrets.",
        discussion: """
            Asks for the mode of the events, the address to listen for deliveries at, the \
            endpoint's signing secret and an API key; nothing of what is typed as a secret is \
            shown. Without a terminal, the four answers are the first four lines of standard \
            input; an empty one takes what stands in brackets, which is what the file says \
            already, if it does.

            Everything else in the configuration file stays as it is. Where the Debian package is \
            installed it is /etc/tillbox/tillbox.conf, with the secrets in /etc/tillbox/secrets, \
            and otherwise tillbox.conf and secrets in this folder.
            """)

    @Option(help: "The configuration file that is written.")
    var config: String?

    @Option(help: "The folder of the secrets' files.")
    var secrets: String?

    mutating func run() async throws {
        let place = SettingsPlace(file: config, secrets: secrets)
        let present = try await orCannotRun { try place.present() }
        let settings = try Interview(place: place, present: present).settings()
        try await orCannotRun { try place.write(settings) }
        try Output.standard.line(Self.epilogue(place, settings))
    }

    private static func epilogue(_ place: SettingsPlace, _ settings: FirstSettings) -> String {
        let start =
            place.isSystem
            ? "systemctl restart tillbox"
            : PastedCommand.completed("`tillbox run --config \(ShellWord.quoted(place.file))`")
        let isWithoutKey = settings.apiKey == nil && !place.secretExists(SettingsPlace.stripeName)
        let key =
            isWithoutKey
            ? "\nWithout an API key no missed event is fetched and nothing is reconciled; to give "
                + "one later, run this again." : ""
        return """
            \(place.file) is written, and the secrets are in \(place.secrets).\(key)
            Start: \(start)
            Deliveries are taken at http://\(settings.address)/webhooks/stripe; a web server with \
            a certificate has to pass on to it what Stripe delivers to the endpoint's address.
            """
    }
}

/// The four questions.
private struct Interview {
    let place: SettingsPlace
    /// What the file says already.
    let present: (mode: String?, address: String?)
    let isTerminal = isatty(STDIN_FILENO) == 1

    func settings() throws(CommandFailure) -> FirstSettings {
        let mode: FirstSettings.Mode = try answer(
            "Events of which mode, live or test?", usual: present.mode ?? "live"
        ) {
            guard let mode = FirstSettings.Mode(rawValue: $0) else {
                return .refused("that is neither live nor test")
            }
            return .fine(mode)
        }
        let address: Settings.Address = try answer(
            "Where are deliveries listened for, host:port?",
            usual: present.address ?? "127.0.0.1:8080"
        ) {
            guard let address = FirstSettings.address(in: $0) else {
                return .refused(Self.refusal(ofAddress: $0))
            }
            return .fine(address)
        }
        let signing = try secret(
            "The endpoint's signing secret (whsec_…)", SettingsPlace.webhookName, isNeeded: true
        ) { FirstSettings.refusal(ofSigningSecret: $0) }
        let key = try secret(
            "A restricted API key (rk_…), with which missed events are fetched",
            SettingsPlace.stripeName, isNeeded: false
        ) { FirstSettings.refusal(ofAPIKey: $0, mode: mode) }
        return FirstSettings(mode: mode, address: address, signingSecret: signing, apiKey: key)
    }

    /// Whoever gives the endpoint's own address is told whose that is.
    private static func refusal(ofAddress given: String) -> String {
        let sentence = "that is no host:port with a port from 1 to 65535"
        guard given.contains("://") else { return sentence }
        return sentence + "; the endpoint's address at Stripe is your web server's, and what is "
            + "asked for is this machine's, such as 127.0.0.1:8080"
    }

    private enum Checked<Value> {
        case fine(Value)
        case refused(String)
    }

    private func answer<Value>(
        _ question: String, usual: String, _ check: (String) -> Checked<Value>
    ) throws(CommandFailure) -> Value {
        while true {
            let words = isTerminal ? TypedLine.read("\(question) [\(usual)] ") : readLine()
            guard let words else { throw missing(question) }
            let given = words.trimmingCharacters(in: .whitespacesAndNewlines)
            switch check(given.isEmpty ? usual : given) {
            case .fine(let value): return value
            case .refused(let sentence): try refuse(sentence, of: question)
            }
        }
    }

    /// - Returns: nil for the one that is there already, or none.
    private func secret(
        _ question: String, _ name: String, isNeeded: Bool, _ refusal: (String) -> String?
    ) throws(CommandFailure) -> String? {
        let isThere = place.secretExists(name)
        let usual = isThere ? "keep the one that is there" : isNeeded ? nil : "none"
        let prompt = question + (usual.map { " [\($0)]" } ?? "") + " "
        while true {
            let words = try isTerminal ? TypedLine.hidden(prompt, what: "secret") : readLine()
            guard let words else { throw missing(question) }
            let given = words.trimmingCharacters(in: .whitespacesAndNewlines)
            if !isThere, given.isEmpty || given == usual, usual != nil { return nil }
            // One that is there may not go with what was answered before.
            let isKept = isThere && given.isEmpty
            let meant = isKept ? place.secret(name) : given
            guard let sentence = meant.flatMap(refusal) else { return isKept ? nil : given }
            try refuse(
                isKept ? "the one that is there cannot be kept: \(sentence)" : sentence,
                of: question)
        }
    }

    /// A person is asked again; a script is not.
    private func refuse(_ sentence: String, of question: String) throws(CommandFailure) {
        guard isTerminal else {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage, message: "\(question): \(sentence)")
        }
        writeError(sentence)
    }

    private func missing(_ question: String) -> CommandFailure {
        CommandFailure(
            exitCode: CommandFailure.wrongUsage,
            message: "standard input has no answer to: \(question); it needs four lines")
    }
}
