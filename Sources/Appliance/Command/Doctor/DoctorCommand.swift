import AppendLog
import ArgumentParser
import Daemon
import Foundation
import Reconcile
import Terminal
import Vocabulary

/// `tillbox doctor`: every check of the runbook, each with what to do.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at everything an operator should know of, and say what to do.",
        discussion: """
            Disk, sync speed, clock, permissions, secrets, the parts of the data folder against \
            each other, every batch of the log, every rule of the ledger, the audit log, dead \
            letters, the daemon and its warnings, missed events, reconciliation, bridges, the \
            last backup, whether anybody is told of what needs a person, the model, and with an \
            API key the endpoint at Stripe: its events, its mode and its API version. Changes \
            nothing. Exit codes: 0 nothing needs a person, 1 something does, 2 wrong usage, 3 \
            cannot run.
            """)
    @OptionGroup var data: DataOptions
    @Flag(help: "Leave out what reads all of log and ledger.") var quick = false
    @Flag(help: "Answer with one JSON document.") var json = false

    mutating func run() async throws {
        var diagnosis = Diagnosis()
        let (settings, knowsKey) = try await readSettings(&diagnosis)
        guard settings.profile != .cloud else {
            throw CommandFailure.cannotRun(
                "the profile cloud has no data folder; ask each role with `tillbox status`, and "
                    + "check its tables with `tillbox ledger verify`")
        }
        let machine = MachineChecks(path: settings.dataPath)
        let hasFolder = FileManager.default.fileExists(atPath: settings.dataPath)
        if hasFolder {
            diagnosis.add(machine.disk())
            diagnosis.add(machine.sync())
            diagnosis.add(machine.permissions())
            diagnosis.add(FolderChecks(settings: settings).findings(isQuick: quick))
        } else {
            diagnosis.add(
                .act(
                    "parts", "there is no data folder \(settings.dataPath)",
                    "name it with --data; the daemon's first start makes it",
                    in: Finding.chapters["daemon"]))
        }
        diagnosis.add(FolderChecks(settings: settings).model())
        let hasKey = settings.stripeKey != nil || !knowsKey
        diagnosis.add(await DaemonChecks(settings: settings, hasKey: hasKey).findings())
        guard knowsKey else {
            return try tell(diagnosis, and: ["endpoint", "clock"].map(Self.unasked))
        }
        let clock = StripeClock(SystemLogClock())
        let endpoint = await EndpointChecks(settings: settings, clock: clock).findings()
        try tell(diagnosis, and: endpoint + [MachineChecks.clock(settings, clock)])
    }

    private static func unasked(_ check: String) -> Finding {
        .skipped(check, "the API key could not be read, so that Stripe was not asked")
    }

    private func tell(_ found: Diagnosis, and more: [Finding]) throws {
        var diagnosis = found
        diagnosis.add(more)
        try Output.standard.line(
            json ? diagnosis.json : PastedCommand.completed(diagnosis.text))
        if diagnosis.needsSomebody { throw CommandFailure.foundSomething(nil) }
    }

    /// The settings as the daemon would read them, secrets too. Where that fails, which is a
    /// finding, with the API key alone, or without any secret.
    private func readSettings(
        _ diagnosis: inout Diagnosis
    ) async throws -> (settings: Settings, knowsKey: Bool) {
        do {
            let settings = try await data.settings(needsSecrets: true, needsStripe: true)
            let count = settings.endpoints.reduce(0) { $0 + $1.secrets.count }
            diagnosis.add(
                .ok(
                    "secrets", "configuration and secrets are read and private: \(count) signing "
                        + Counted.noun(count, "secret")
                        + (settings.stripeKey == nil ? ", no API key" : ", an API key")))
            diagnosis.add(Self.alerts(settings))
            return (settings, true)
        } catch let failure as CommandFailure {
            diagnosis.add(Self.unread(failure.message ?? "the configuration cannot be read"))
            if let settings = try? await data.settings(needsSecrets: false, needsStripe: true) {
                return (settings, true)
            }
            return (try await data.settings(needsSecrets: false), false)
        }
    }

    /// - Parameter sentence: why the settings, or a secret of theirs, cannot be read.
    static func unread(_ sentence: String) -> Finding {
        // They are there while the service runs, and for the service alone.
        let isGone = sentence.hasSuffix("No such file or directory")
        if isGone, sentence.contains(" /run/credentials/") {
            return .act(
                "secrets", sentence,
                "systemd hands it over while the service runs: `systemctl start tillbox`; where it "
                    + "does run, /etc/tillbox/secrets lacks the file")
        }
        return DaemonWarnings.finding(
            "secrets", sentence, otherwise: "correct it; docs/CONFIGURATION.md has every key")
    }

    static func alerts(_ settings: Settings) -> Finding {
        settings.tellsSomebody
            ? .ok("alerts", "somebody is told of what needs a person")
            : .note(
                "alerts", "nobody is told of what needs a person",
                "set alerts.url_file or alerts.command; docs/DOCTOR.md says how")
    }
}
