import AppendLog
import Appliance
import ArgumentParser
import Daemon
import Foundation
import Logging
import Terminal

/// Options that every command which opens the data folder shares.
struct DataOptions: ParsableArguments {
    @Option(help: "The configuration file (YAML). Every key is in docs/CONFIGURATION.md.")
    var config: String?

    @Option(help: "The data folder. Default ./tillbox-data.")
    var data: String?

    /// The data folder for a command that only looks.
    func folder() async throws -> FolderView {
        FolderView(path: try await settings(needsSecrets: false).dataPath)
    }

    /// The settings with the command line's own words on top.
    func settings(
        needsSecrets: Bool, profile: Settings.Profile? = nil
    ) async throws -> Settings {
        var environment = ProcessInfo.processInfo.environment
        if let profile { environment["TILLBOX_PROFILE"] = profile.rawValue }
        do {
            let loader = try SettingsLoader(file: config, environment: environment)
            var settings = try loader.load(needsSecrets: needsSecrets)
            if let data { settings.dataPath = data }
            return settings
        } catch {
            throw CommandFailure.cannotRun("\(error)")
        }
    }
}

extension DataOptions {
    /// What the next start of the daemon would say of this folder, for the commands that verify.
    ///
    /// - Throws: `CommandFailure.foundSomething` where a start would refuse it.
    func compareParts() async throws {
        let path = try await settings(needsSecrets: false).dataPath
        guard FileManager.default.fileExists(atPath: "\(path)/log") else { return }
        do {
            let state = try DataFolder(existingAt: path).survey.state()
            if case .refuse(let refusal) = StartComparison.verdict(of: state) { throw refusal }
        } catch let refusal as StartRefusal {
            throw CommandFailure.foundSomething("\(refusal)")
        }
    }
}

extension Settings.Profile: ExpressibleByArgument {}

/// `tillbox run`: the daemon.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the daemon until SIGTERM, SIGINT or SIGHUP.")

    @OptionGroup var options: DataOptions

    @Option(help: "Which implementations to use.")
    var profile: Settings.Profile?

    mutating func run() async throws {
        let settings = try await options.settings(needsSecrets: true, profile: profile)
        let isTerminal = isatty(STDERR_FILENO) == 1
        LineLogHandler.bootstrap(
            level: settings.logLevel, format: settings.logFormat ?? (isTerminal ? .text : .json))
        let logger = Logger(label: "tillbox")
        StartReport(settings: settings).write(to: logger)
        try await orCannotRun {
            let daemon = try Daemon(settings: settings, logger: logger)
            try await daemon.run()
            logger.info("stopped")
        }
    }
}
