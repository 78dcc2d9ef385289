import ArgumentParser
import Bench
import Foundation
import Terminal
import Vocabulary

/// The command line (contracts §9).
@main
struct Tillbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tillbox",
        abstract: "A payments backbone in one box: webhooks in, a balanced ledger out.",
        discussion: """
            Begin with `tillbox demo`, which needs nothing and shows all of it live; for your own \
            Stripe account with `tillbox init`, then `tillbox run` and `tillbox doctor`.

            Exit codes: 0 done, 1 a check found something, 2 wrong usage, 3 cannot run.
            """,
        version: Release.version,
        subcommands: [
            RunCommand.self, DemoCommand.self, Simulate.self, LogCommand.self, LedgerCommand.self,
            TwinCommand.self, ReconcileCommand.self, DeadLetterCommand.self, ReplayCommand.self,
            ReviewCommand.self, ExplainCommand.self, CloudCommand.self, BridgeCommand.self,
            StatusCommand.self, BenchCommand.self, UserCommand.self, TokenCommand.self,
            AuditCommand.self, ExportCommand.self, WarehouseCommand.self, ModelCommand.self,
            BankCommand.self, ReportCommand.self, InitCommand.self, HealthCommand.self,
            BackupCommand.self, RestoreCommand.self, ArchiveCommand.self, DoctorCommand.self,
        ])

    /// Parses, runs, and turns whatever went wrong into one sentence and the exit code of contracts
    /// §9.
    static func main() async {
        StandardStreams.prepare()
        // New files are this user's alone, whichever command makes them.
        umask(0o077)
        let failure = await failure()
        LogSink.standardError.endLog()
        let code = failure.map(report) ?? 0
        LogSink.standardError.drain()
        fflush(nil)
        // Not `exit`: its handlers take libcrypto and librdkafka down under threads of theirs that
        // are still ending, and a command that was done would end with a fault.
        _exit(code)
    }

    /// Parses and runs; nil where all was done.
    private static func failure() async -> (any Error)? {
        do {
            let arguments = Array(CommandLine.arguments.dropFirst())
            if let sentence = UsageSentence(beforeParsing: arguments) {
                throw CommandFailure(exitCode: CommandFailure.wrongUsage, message: sentence.text)
            }
            var command = try parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return nil
        } catch {
            return error
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        if let failure = error as? CommandFailure {
            if let message = failure.message {
                writeError("tillbox: \(PastedCommand.completed(message))")
            }
            return failure.exitCode
        }
        switch exitCode(for: error) {
        case .success:
            do throws(CommandFailure) {
                try Output.standard.line(fullMessage(for: error))
                return 0
            } catch {
                return report(error)
            }
        case .validationFailure:
            let arguments = Array(CommandLine.arguments.dropFirst())
            let sentence = UsageSentence(message(for: error), arguments: arguments)
            writeError("tillbox: \(PastedCommand.completed(sentence.text))")
            return CommandFailure.wrongUsage
        case let code where error is ExitCode:
            return code.rawValue
        default:
            writeError("tillbox: \(ErrorWords.sentence(of: error))")
            return CommandFailure.cannotRun
        }
    }
}
