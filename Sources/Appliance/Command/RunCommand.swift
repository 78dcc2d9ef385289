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

    @Option(help: "The data folder; the profile cloud has none. Default ./tillbox-data.")
    var data: String?

    @Option(
        help: """
            What it stands on: dev and edge on the data folder, cloud on Kafka, Redis and \
            Postgres. Default dev.
            """)
    var profile: Settings.Profile?

    /// The data folder for a command that only looks.
    func folder() async throws -> FolderView {
        FolderView(
            path: try await folderSettings(
                insteadInCloud: "no data folder; look at its topics with Kafka's own tools"
            ).dataPath)
    }

    /// The settings for a command that needs a data folder.
    ///
    /// - Parameter insteadInCloud: what the profile cloud has not, and what there is instead.
    func folderSettings(insteadInCloud: String) async throws -> Settings {
        let settings = try await settings(needsSecrets: false)
        guard settings.profile != .cloud else {
            throw CommandFailure.cannotRun("the profile cloud has \(insteadInCloud)")
        }
        return settings
    }

    /// The settings with the command line's own words on top.
    ///
    /// - Parameter fixed: the only profile that the command is of.
    func settings(
        needsSecrets: Bool, role: Role = .all, profile fixed: Settings.Profile? = nil,
        needsStripe: Bool = false
    ) async throws -> Settings {
        if let fixed, let profile, profile != fixed {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage,
                message: "this command is of the profile \(fixed.rawValue) alone; leave --profile "
                    + "\(profile.rawValue) away")
        }
        do {
            return try loaded(
                needsSecrets: needsSecrets, role: role, profile: fixed, needsStripe: needsStripe)
        } catch {
            throw CommandFailure.cannotRun(error)
        }
    }

    /// The same, with the error that a start tells apart.
    ///
    /// - Throws: `SettingsError`.
    fileprivate func loaded(
        needsSecrets: Bool, role: Role, profile fixed: Settings.Profile? = nil,
        needsStripe: Bool = false
    ) throws -> Settings {
        var environment = ProcessInfo.processInfo.environment
        if let profile = fixed ?? profile { environment["TILLBOX_PROFILE"] = profile.rawValue }
        let loader = try SettingsLoader(file: config, environment: environment)
        var settings = try loader.load(
            needsSecrets: needsSecrets, role: role, needsStripe: needsStripe)
        if let data { settings.dataPath = data }
        return settings
    }
}

extension DataOptions {
    /// What the next start of the daemon would say of this folder, for the commands that verify.
    ///
    /// - Throws: `CommandFailure.foundSomething` where a start would refuse it.
    func compareParts() async throws {
        if let refusal = try await refusalOfParts() {
            throw CommandFailure.foundSomething("\(refusal)")
        }
    }

    /// The same, for who has more to say first; nil where a start would refuse nothing.
    func refusalOfParts() async throws -> StartRefusal? {
        let path = try await settings(needsSecrets: false).dataPath
        guard FileManager.default.fileExists(atPath: "\(path)/log") else { return nil }
        do {
            let state = try DataFolder(existingAt: path).survey.state()
            guard case .refuse(let refusal) = StartComparison.verdict(of: state) else { return nil }
            return refusal
        } catch let refusal as StartRefusal {
            return refusal
        }
    }
}

extension Settings.Profile: ExpressibleByArgument {}
extension Role: ExpressibleByArgument {}

/// `tillbox run`: the daemon.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the daemon until SIGTERM, SIGINT or SIGHUP.",
        discussion: """
            Exit codes: 0 stopped as asked, 2 wrong usage, 3 cannot run, 78 a mistake in the \
            configuration, with which no further start succeeds either.
            """)

    @OptionGroup var options: DataOptions

    @Option(help: "What this process does: all but in the profile cloud, where it is one of them.")
    var role = Role.all

    mutating func run() async throws {
        let (options, role) = (options, role)
        do {
            try await Self.run(options, role)
        } catch {
            throw Self.failure(error)
        }
    }

    private static func run(_ options: DataOptions, _ role: Role) async throws {
        let sockets = KeptSockets.ofProcess
        let settings = try options.loaded(needsSecrets: true, role: role)
        let isTerminal = isatty(STDERR_FILENO) == 1
        LineLogHandler.bootstrap(
            level: settings.logLevel, format: settings.logFormat ?? (isTerminal ? .text : .json)
        ) { PastedCommand.completed($0) }
        let logger = Logger(label: "tillbox")
        StartReport(settings: settings, role: role).write(to: logger)
        sockets?.tellRefusals(logger)
        for warning in MisspeltVariables.warnings(in: ProcessInfo.processInfo.environment) {
            logger.warning("\(warning)")
        }
        if settings.profile == .cloud {
            try await CloudDaemon(settings: settings, role: role, logger: logger).run()
        } else {
            try await Daemon(settings: settings, logger: logger).run()
        }
        logger.info("stopped")
    }

    /// What a service manager need not start again ends with a code of its own.
    static func failure(_ error: any Error) -> CommandFailure {
        let isMistake =
            switch error {
            case let error as SettingsError: !error.mayPass
            case ModelError.thresholdLoosened, ModelError.thresholdsOutOfOrder: true
            default: false
            }
        var failure = error as? CommandFailure ?? CommandFailure.cannotRun(error)
        if isMistake { failure.exitCode = CommandFailure.misconfigured }
        return failure
    }
}
