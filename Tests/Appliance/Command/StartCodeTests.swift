import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Terminal

/// Whether a service manager should try a start again.
@Suite("The exit code of a start that fails")
struct StartCodeTests {
    private static let mistakes: [any Error] = [
        SettingsError.fileExposed(path: "f", mode: "644"),
        SettingsError.fileMalformed(path: "f", line: 1, problem: "p"),
        SettingsError.unknownKey(key: "a", path: "f", line: 1, nearest: nil),
        SettingsError.badValue(key: "a", value: "b", expected: "c"),
        SettingsError.endpointUnlisted(name: "a", key: "b"),
        SettingsError.secretMissing(endpoint: ""),
        SettingsError.secretRefused(place: "f", .quoted),
        SettingsError.secretTwice(key: "a"),
        SettingsError.secretFileExposed(path: "f", mode: "644"),
        SettingsError.missing(key: "a", needs: "b", example: "c"),
        SettingsError.contradicts(key: "a", reason: "b"),
        SettingsError.openToNetwork(host: "0.0.0.0"),
        SettingsError.roleMissing, SettingsError.roleUnknown(role: "a", profile: "b"),
        ModelError.thresholdLoosened(name: "block", model: 0.85, configured: 0.9),
        ModelError.thresholdsOutOfOrder(review: 0.9, block: 0.8),
    ]

    private static let passing: [any Error] = [
        SettingsError.fileUnreadable(path: "f", reason: "No such file or directory"),
        SettingsError.secretFileUnreadable(path: "f", reason: "No such file or directory"),
        SettingsError.secretFileEmpty(path: "f"),
        SettingsError.fileMissing(key: "a", path: "f", reason: "r"),
        SettingsError.certificateUnusable(path: "f", reason: "r"),
        ModelError.unreadable(path: "f"),
        DaemonError.portInUse(address: .init(host: "127.0.0.1", port: 1), setBy: "webhook.port"),
        DaemonError.dataFolderUnusable(path: "f", reason: "No space left on device"),
        StartRefusal(reason: "r"),
        CommandFailure.cannotRun("anything else"),
    ]

    @Test("what a person has to correct in the configuration is 78", arguments: mistakes.indices)
    func mistake(place: Int) {
        #expect(RunCommand.failure(Self.mistakes[place]).exitCode == 78)
    }

    @Test("what may be gone by itself is 3", arguments: passing.indices)
    func passes(place: Int) {
        #expect(RunCommand.failure(Self.passing[place]).exitCode == 3)
    }

    @Test("wrong usage stays 2, and a sentence stays itself")
    func own() {
        let usage = CommandFailure(exitCode: CommandFailure.wrongUsage, message: "a sentence")
        let failure = RunCommand.failure(usage)
        #expect(failure.exitCode == 2 && failure.message == "a sentence")
    }

    @Test("the unit leaves off at wrong usage and mistakes in the configuration, and else never")
    func unit() throws {
        let path = Repository.root.appending(path: "deploy/debian/tillbox.service")
        let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
        let prevented = try #require(
            lines.first { $0.hasPrefix("RestartPreventExitStatus=") }?.split(separator: "=").last)
        #expect(
            prevented.split(separator: " ").compactMap { Int32($0) }
                == [CommandFailure.wrongUsage, CommandFailure.misconfigured])
        #expect(lines.contains("Restart=always") && lines.contains("StartLimitIntervalSec=0"))
    }
}
